#!/bin/sh
# An answer, a stream, an embedding, the models and the bill, with curl.
#
#   OPENAI_API_KEY=sk-… sh examples/clients/curl.sh
set -eu
base=${OPENAI_BASE_URL:-http://127.0.0.1:8080/v1}
call() { path=$1; shift; curl -sS --fail-with-body "$base$path" -H "Authorization: Bearer $OPENAI_API_KEY" "$@"; echo; }

echo '== an answer'
call /chat/completions -d '{"model": "mock/echo", "messages": [{"role": "user", "content": "Hello from curl"}]}'

echo '== a stream, with its usage in the last chunk'
call /chat/completions -N -d '{"model": "mock/echo", "stream": true, "stream_options": {"include_usage": true},
  "messages": [{"role": "user", "content": "Hello again"}]}'

echo '== an embedding'
call /embeddings -d '{"model": "mock/embed", "input": "Hello", "dimensions": 8}'

echo '== the models that this key may use'
call /models

echo '== what this key has used'
call /usage
