#!/bin/sh
# Generates clients from the server's own description with three generators, wants no warning of any of them, compiles
# what they made, and talks to a live server with it. All of it in a temporary folder, with the newest versions.
# Needs: dutiful (named by DUTIFUL), python3 with venv, node 20 or newer with npm.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dutiful=${DUTIFUL:-dutiful}
work=$(mktemp -d)
server=
stop() {
    [ -z "$server" ] || { kill "$server" && wait "$server" || true; }
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM
# The server's folder may belong to an account of its own.
chmod 755 "$work"

say() { printf '== %s\n' "$*"; }
# Runs a generator, and fails when it warns: they do not all have an option for that.
without_warnings() {
    "$@" >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
    if grep -iE 'warn|error|skipp' "$work/said" | grep -v '^npm '; then exit 1; fi
}

say "a server"
export DUTIFUL_DATA_DIR="$work/data"
"$dutiful" serve --port 0 >"$work/serve.log" 2>&1 &
server=$!
for _ in $(seq 120); do
    url=$(sed -n 's/^Dutiful is ready at //p' "$work/serve.log")
    [ -z "$url" ] || break
    kill -0 "$server" 2>/dev/null || { cat "$work/serve.log"; exit 1; }
    sleep 0.5
done
[ -n "$url" ] || { cat "$work/serve.log"; exit 1; }
export CLIENT_URL="$url"
CLIENT_TOKEN=$("$dutiful" token create clients)
export CLIENT_TOKEN
curl -sSf "$url/openapi.json" -o "$work/openapi.json"

say "openapi-python-client"
python3 -m venv "$work/python"
"$work/python/bin/python" -m pip install --quiet --disable-pip-version-check openapi-python-client ruff mypy
PATH="$work/python/bin:$PATH"
openapi-python-client --version
without_warnings openapi-python-client generate --path "$work/openapi.json" --output-path "$work/generated" \
    --meta none --fail-on-warning
cp "$here/call.py" "$work/call.py"
cd "$work"
# Its own client.py does not pass; what it makes of our description must.
mypy --follow-imports=silent generated/api generated/models call.py
python call.py

say "hey-api and openapi-typescript"
mkdir "$work/node"
cd "$work/node"
printf '{"type": "module", "private": true}\n' >package.json
npm install --silent --no-audit --no-fund @hey-api/openapi-ts openapi-typescript typescript@5 @types/node esbuild \
    >/dev/null 2>&1
npm ls --depth 0 2>/dev/null | grep -E 'openapi|typescript'
without_warnings node_modules/.bin/openapi-ts -i "$work/openapi.json" -o hey
without_warnings node_modules/.bin/openapi-typescript "$work/openapi.json" -o schema.ts
cp "$here/call.ts" "$here/types.ts" .
node_modules/.bin/tsc --noEmit --strict --target ES2022 --module ESNext --moduleResolution bundler \
    --lib ES2022,DOM,DOM.Iterable --types node call.ts types.ts
node_modules/.bin/esbuild call.ts --bundle --platform=node --format=esm --outfile=call.mjs --log-level=error
node call.mjs

say "all three clients are clean"
