#!/usr/bin/env python3
"""A plugin that does what its first argument says, and is well-behaved otherwise."""
import json, os, sys, time

mode = sys.argv[1]


def send(body, length=None):
    body = body if isinstance(body, bytes) else body.encode()
    length = len(body) if length is None else length
    sys.stdout.buffer.write(f"Content-Length: {length}\r\n\r\n".encode() + body)
    sys.stdout.buffer.flush()


def read():
    length = 0
    while line := sys.stdin.buffer.readline().strip():
        length = int(line.split(b":")[1])
    return json.loads(sys.stdin.buffer.read(length)) if length else sys.exit()


def answer(id, result):
    send(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}))


def seen(name):
    return {"object": {"kind": "network", "name": name, "attributes": {}}}


def misbehave(id, name):
    bare = '{"jsonrpc":"2.0","id":%d,' % id
    if mode == "huge":
        send(b"x", 2_000_000_000)
    elif mode == "negative":
        send(b"x", -5)
    elif mode == "chatty":
        print("Hello! I print to standard output.", flush=True)
    elif mode == "utf8":
        send(bare.encode() + b'"result":{"object":null,"x":"\xff"}}')
    elif mode == "duplicate":
        send(bare + '"id":%d,"result":{"object":null}}' % id)
    elif mode == "duplicate-inside":
        send(bare + '"result":{"object":{"kind":"vm","kind":"network","name":"a","attributes":{}}}}')
    elif mode == "deep":
        send(bare + '"result":{"object":' + "[" * 10_000 + "]" * 10_000 + "}}")
    elif mode == "enum":
        error = '"error":{"code":1,"message":"x","data":{"retry":"perhaps"}}}'
        send(bare + error)
    elif mode == "another":
        answer(id + 1000, {"object": None})
    elif mode == "twice":
        answer(id, seen(name))
        answer(id, seen(name))
    elif mode == "both":
        send(bare + '"result":{"object":null},"error":{"code":1,"message":"x"}}')
    elif mode == "notification":
        send('{"jsonrpc":"2.0","method":"attack","params":{}}')
    elif mode == "kind":
        answer(id, {"object": {"kind": "dragon", "name": "a", "attributes": {}}})
    elif mode == "attribute":
        answer(id, {"object": {"kind": "network", "name": "a", "attributes": {"wings": 2}}})
    elif mode == "field":
        answer(id, {"object": {"kind": "network", "nam": "a", "attributes": {}}})
    elif mode == "crash":
        sys.stderr.write("I feel \x1b[2K\x9bunwell, s3cret\n")
        sys.stderr.flush()
        os.abort()
    elif mode == "half":
        send(bare, 500)
        os._exit(3)
    elif mode == "environment":
        keys = " ".join(sorted(os.environ))
        tty = "no terminal"
        try:
            os.open("/dev/tty", os.O_RDWR)
            tty = "a terminal"
        except OSError:
            pass
        status = open("/proc/self/status").read()
        rights = "no new rights" if "NoNewPrivs:\t1" in status else "new rights"
        error = {"code": 1, "message": f"{keys}; {tty}; {rights}", "data": {"retry": "never"}}
        send(json.dumps({"jsonrpc": "2.0", "id": id, "error": error}))
    elif mode == "silent":
        pass  # not even a cancellation is answered
    elif mode == "children":
        child = os.fork()
        if child == 0:
            time.sleep(600)
            os._exit(0)
        error = {"code": 1, "message": str(child), "data": {"retry": "never"}}
        send(json.dumps({"jsonrpc": "2.0", "id": id, "error": error}))
    else:
        answer(id, seen(name))


if mode == "dies-at-once":
    sys.exit("I do not even start")
while True:
    message = read()
    id, method, params = message.get("id"), message["method"], message["params"]
    if method == "hello":
        if mode == "mute":
            time.sleep(600)
        version = 7 if mode == "version" else 1
        answer(id, {"protocol": version, "name": "hostile", "version": "1", "later": [1]})
    elif method == "describe":
        if mode == "mute-later":
            time.sleep(600)
        extra = {"shoe_size": 43} if mode == "description" else {}
        answer(id, {"name": "hostile", "version": "1", **extra})
    elif method == "configure":
        answer(id, {"connection": 1})
    elif method == "shutdown":
        answer(id, {})
    elif method in ("look", "apply"):
        name = params["operation"]["identity"]["name"]
        if name.startswith("good"):
            answer(id, seen(name))
        elif name.startswith("wait"):
            pass
        else:
            misbehave(id, name)
