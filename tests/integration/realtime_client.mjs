// An unmodified supabase-js against the local cloud; prints what happened as one JSON line.
// node realtime_client.mjs <url> <publishable key> <secret key> <folder with node_modules>
import { createRequire } from "node:module";

const [url, publishableKey, secretKey, folder] = process.argv.slice(2);
const { createClient } = createRequire(`${folder}/package.json`)("@supabase/supabase-js");
const user = createClient(url, publishableKey);
const service = createClient(url, secretKey);
const result = { states: [], numbers: [] };

function must({ data, error }) {
  if (error) throw error;
  return data;
}

const password = "correct horse battery";
const email = `js-${process.pid}@example.com`;
const signedUp = must(await user.auth.signUp({ email, password }));
const signedIn = must(await user.auth.signInWithPassword({ email, password }));
result.sameUser = signedUp.user.id === signedIn.user.id;

must(await user.from("notes").insert({ user_id: signedIn.user.id, body: "mine" }));
result.own = must(await user.from("notes").select("body")).map((row) => row.body);
result.forged = (
  await user.from("notes").insert({ user_id: "11111111-1111-4111-8111-111111111111", body: "no" })
).error.code;

await user.realtime.setAuth();
const received = Promise.withResolvers();
const joined = Promise.withResolvers();
user
  .channel(`signals:${signedIn.user.id}`, { config: { private: true } })
  .on("broadcast", { event: "signals" }, ({ payload }) => {
    result.numbers.push(payload.number);
    if (result.numbers.length === 3) received.resolve();
  })
  .subscribe((state) => {
    result.states.push(state);
    if (state === "SUBSCRIBED") joined.resolve();
  });
await joined.promise;
for (const number of [1, 2, 3]) {
  must(await service.rpc("ring", { user_id: signedIn.user.id, number }));
}
await received.promise;

const refused = Promise.withResolvers();
user
  .channel("signals:11111111-1111-4111-8111-111111111111", { config: { private: true } })
  .subscribe((state, error) => refused.resolve([state, error?.message]));
result.refused = await refused.promise;

console.log(JSON.stringify(result));
await user.realtime.disconnect();
process.exit(0);
