"""The comment endpoints of three forges, on this machine: what they keep, and how they fail.

usage: forge.py KIND   prints its port; reads faults, one a line, from standard input:
       STATUS [RETRY-AFTER] [lost]    the next write is answered so; `lost` keeps it all the same
"""

import http.server
import json
import queue
import sys
import threading
from urllib.parse import parse_qs, urlsplit

KIND = sys.argv[1]
PAGES = KIND != "forgejo"
COMMENTS = {
    "gitlab": "/projects/rz%2Finfra/merge_requests/7/notes",
    "github": "/repos/rz/infra/issues/7/comments",
    "forgejo": "/repos/rz/infra/issues/7/comments",
}[KIND]
ONE = COMMENTS if KIND == "gitlab" else "/repos/rz/infra/issues/comments"
SCHEME = "token" if KIND == "forgejo" else "Bearer"
CHANGE = "PUT" if KIND == "gitlab" else "PATCH"
comments, asked, faults = [], [], queue.Queue()


def comment(author, body):
    who = {"username": author} if KIND == "gitlab" else {"login": author}
    key = "author" if KIND == "gitlab" else "user"
    return {"id": len(comments) + 1, key: who, "body": body}


class Forge(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def say(self, status, body, headers=()):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def answer(self):
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        if url.path == "/look":
            return self.say(200, {"comments": comments, "asked": asked})
        if url.path == "/put":
            comments.append(comment(body["author"], body["body"]))
            return self.say(200, {})
        asked.append(f"{self.command} {url.path}")
        token = self.headers.get("Authorization")
        if token != f"{SCHEME} canary-token-4711":
            return self.say(401, {"message": f"bad credentials {token}"})
        if url.path == "/user":
            if KIND == "github":
                return self.say(403, {"message": "Resource not accessible by integration"})
            return self.say(200, {"username" if KIND == "gitlab" else "login": "tcloud-bot"})
        if self.command == "GET" and url.path == COMMENTS:
            if not PAGES:
                return self.say(200, comments)
            query = parse_qs(url.query)
            size, page = int(query["per_page"][0]), int(query["page"][0])
            return self.say(200, comments[(page - 1) * size:page * size])
        fault = None if faults.empty() else faults.get()
        if fault and "lost" not in fault:
            return self.fail(fault)
        me = "github-actions[bot]" if KIND == "github" else "tcloud-bot"
        if self.command == "POST" and url.path == COMMENTS:
            if KIND == "github" and len(body["body"]) > 65536:
                return self.say(422, {"message": "Body is too long (maximum is 65536 characters)"})
            comments.append(comment(me, body["body"].replace("\n", "\r\n")))
        elif self.command == CHANGE and url.path.startswith(f"{ONE}/"):
            comments[int(url.path.rsplit("/", 1)[1]) - 1]["body"] = body["body"]
        else:
            return self.say(404, {"message": "404 Not Found"})
        if fault:
            return self.fail(fault)
        return self.say(201 if self.command == "POST" else 200, comments[-1])

    def fail(self, fault):
        wait = [("Retry-After", fault[1])] if len(fault) > 1 and fault[1].isdigit() else []
        if fault[0] == "302":
            wait = [("Location", "http://127.0.0.1:1/elsewhere")]
        token = self.headers.get("Authorization")
        return self.say(int(fault[0]), {"message": f"not now\x1b[2J, {token}"}, wait)

    do_GET = do_POST = do_PUT = do_PATCH = answer

    def log_message(self, *words):
        pass


def read_faults():
    for line in sys.stdin:
        faults.put(line.split())


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forge)
print(server.server_port, flush=True)
threading.Thread(target=read_faults, daemon=True).start()
server.serve_forever()
