# An answer and a stream with OpenAI's package for Python.
#
#   pip install openai
#   OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=sk-… python3 examples/clients/chat.py
from openai import APIStatusError, OpenAI

client = OpenAI()  # reads both variables
question = [{"role": "user", "content": "Hello from Python"}]

answer = client.chat.completions.create(model="mock/echo", messages=question)
print(answer.choices[0].message.content, answer.usage.total_tokens)

stream = client.chat.completions.create(
    model="mock/echo", messages=question, stream=True, stream_options={"include_usage": True}
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="")
    elif chunk.usage:
        print(f" ({chunk.usage.total_tokens} tokens)")

try:
    client.chat.completions.create(model="mock/fail-429", messages=question)
except APIStatusError as e:
    print(e.status_code, e.code, e.request_id)
