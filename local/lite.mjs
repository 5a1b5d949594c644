// REST and auth of the local cloud: @supabase/lite, embedded, on the private Postgres.
//
// It is a launcher and no server of our own: the package answers /rest/v1 and /auth/v1. What is
// ours is the wiring: no admin mode, no studio, no telemetry, keys always enforced, and four
// bridges to what hosted Supabase does where the package differs (each says so at its place).
// Started by local/lite.py; reads LISTEN_PORT, POSTGRES_DSN (role closebell_lite, not a
// superuser), SUPABASE_JWT_SECRET, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY and, optionally,
// SUPABASE_URL (for links in auth mails). Ends on SIGTERM within 2 s.

import { serve } from "@hono/node-server";
import { App } from "@supabase/lite";
import { PostgresConnection } from "@supabase/lite/postgres";
import { OperationNodeTransformer, RawNode, sql } from "kysely";

const ROWS_MAX = 1000; // hosted default of "max rows"
const POOL_SIZE = 10; // enough for a page, its functions and a test; Postgres allows 100
const STOP_TIMEOUT_MS = 2000;
const TOKEN_LIFETIME_S = 3600; // hosted default

function log(event, fields = {}) {
  process.stdout.write(
    `${JSON.stringify({ event, ...fields, at: new Date().toISOString(), source: "lite" })}\n`,
  );
}

function setting(name) {
  const value = process.env[name];
  if (!value) {
    log("setting_missing", { level: "error", hint: `expected ${name} in the environment` });
    process.exit(2);
  }
  return value;
}

// "2026-11-21 03:00:00.5+00" (Postgres) → "2026-11-21T03:00:00.5+00:00" (PostgREST, RFC 3339).
function parseTimestamptz(text) {
  return text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00");
}

class Connection extends PostgresConnection {
  constructor(options) {
    super(options);
    // Bridge 1: auth.uid() and its sisters are those of local/sql/20_auth.sql, which read both
    // claim settings as hosted does. The package would put its own in their place.
    this.config.baseSchema = "";
  }

  // Bridge 2: privileges are what the migrations say. The package would grant everything on
  // every schema that holds a table with row level security.
  async ensureRlsContext() {
    return true;
  }

  // Bridge 3: the settings of one request in one statement instead of five round trips, with the
  // claims always set (an earlier request's never linger: they are local to the transaction).
  async applyJwtSessionContext(transaction, context) {
    const role = context.auth?.role || "anon";
    const claims = context.auth?.jwt;
    const claimsText = claims && typeof claims === "object" ? JSON.stringify(claims) : "";
    await sql`select set_config('role', ${role}, true),
      set_config('request.jwt.claim.sub', ${String(context.auth?.uid ?? "")}, true),
      set_config('request.jwt.claim.role', ${role}, true),
      set_config('request.jwt.claims', ${claimsText}, true)`.execute(transaction);
  }

  async applyRpcRequestGucs(transaction, rpc) {
    await sql`select set_config('response.status', '', true),
      set_config('response.headers', '', true),
      set_config('request.method', ${rpc.method}, true),
      set_config('request.path', ${rpc.path}, true),
      set_config('request.headers', ${JSON.stringify(rpc.requestHeaders ?? {})}, true)`.execute(
      transaction,
    );
  }
}

const identity = (value) => value;
const connection = new Connection({
  url: setting("POSTGRES_DSN"),
  postgresOptions: {
    max: POOL_SIZE,
    connect_timeout: 5,
    onnotice: (notice) => log("postgres_noticed", { level: "warning", message: notice.message }),
    connection: { application_name: "closebell-lite" },
    types: {
      // Bridge 4: times as PostgREST and GoTrue write them; supabase-py's auth reads no others.
      timestamptz: { to: 1184, from: [1184], serialize: identity, parse: parseTimestamptz },
      timestamp: {
        to: 1114,
        from: [1114],
        serialize: identity,
        parse: (text) => text.replace(" ", "T"),
      },
    },
  },
});

// Bridge 6: the package names arguments of a routine unquoted (`interval := …`), which Postgres
// refuses for a name that is also a keyword. PostgREST quotes them.
class QuoteArgumentNames extends OperationNodeTransformer {
  transformRaw(node, queryId) {
    const { parameters } = node;
    const isArgument = node.sqlFragments[1]?.startsWith(" := ") && parameters[0]?.kind === "RawNode";
    if (!isArgument) return super.transformRaw(node, queryId);
    const quoted = RawNode.createWithSql(`"${parameters[0].sqlFragments[0]}"`);
    return super.transformRaw({ ...node, parameters: [quoted, ...parameters.slice(1)] }, queryId);
  }
}
const quoteArgumentNames = new QuoteArgumentNames();
connection.kysely = connection.kysely.withPlugin({
  transformQuery: ({ node, queryId }) => quoteArgumentNames.transformNode(node, queryId),
  transformResult: async ({ result }) => result,
});

const app = new App({
  connection,
  api: { enabled: true, schemas: ["public"], max_rows: ROWS_MAX },
  auth: {
    enabled: true,
    jwt_secret: setting("SUPABASE_JWT_SECRET"),
    jwt_expiry: TOKEN_LIFETIME_S,
    publishable_key: setting("SUPABASE_PUBLISHABLE_KEY"),
    secret_key: setting("SUPABASE_SECRET_KEY"),
    site_url: process.env.SUPABASE_URL || "http://127.0.0.1:3000",
    enable_signup: true,
    // A mail server is what a laptop does not have; signing up opens a session at once.
    email: { enable_signup: true, enable_confirmations: false },
  },
  db: { migrations: { enabled: false } },
  storage: { enabled: false },
  options: { server: { admin: false, disableStudio: true } },
});

// Without Postgres the package would start with an empty schema and keep it: end instead, and be
// started again.
await sql`select 1`.execute(connection.kysely);
// The package's own auth tables (sessions, refresh tokens, identities) beside our auth.users.
await app.ensureSystemSchema();
if ((await connection.introspect({ useCache: false })).tables.length === 0) {
  throw new Error("expected tables in the database, found none");
}
// Bridge 5: `notify pgrst, 'reload schema'` after a migration, as with PostgREST.
await connection.driver.listen("pgrst", async () => {
  await connection.clearSchemaCache();
  log("schema_reloaded");
});

const server = serve(
  {
    hostname: "127.0.0.1",
    port: Number(setting("LISTEN_PORT")),
    // No peer address: nothing is ever "local" enough for admin rights.
    fetch: (request) => app.fetch(request, { peerAddress: null }),
  },
  (address) => log("lite_started", { port: address.port, pid: process.pid }),
);
// Clients keep connections open; a proxy that reuses one must not meet a closing socket.
server.keepAliveTimeout = 75_000;

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    log("lite_stopped", { signal });
    setTimeout(() => process.exit(0), STOP_TIMEOUT_MS).unref();
    server.close();
    server.closeAllConnections();
    connection.close().finally(() => process.exit(0));
  });
}
