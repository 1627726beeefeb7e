"""A real SMTP server for tests/channels/email: takes mail as its arguments say, and prints what it stored.

smtp.py JSON: {"security": "tls" | "starttls" | "none", "cert": FILE, "key": FILE, "user": …, "password": …}

The first line of output is the port. Each message follows as a line of JSON: who it went to, its headers, text and
HTML as Python's own e-mail parser reads them, and what a reader of the HTML sees. It ends with its standard input.
Recipients: grey@… is refused with 451 the first time, nobody@… with 550 always.
"""

import asyncio
import email
import email.policy
import html.parser
import json
import logging
import ssl
import sys
import warnings

from aiosmtpd.smtp import AuthResult, SMTP


class Reader(html.parser.HTMLParser):
    """Elements, cells of the table, and text outside of them."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.rows, self.text, self.styles = [], [], [], []
        self.cell = False

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.styles.append(dict(attrs).get("style", ""))
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if tag == "td":
            self.cell = False

    def handle_data(self, data):
        if self.cell:
            self.rows[-1][-1] += data
        elif data.strip():
            self.text.append(data)


class Handler:
    def __init__(self):
        self.grey = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "nobody":
            return "550 5.1.1 no such user"
        if name == "grey" and address not in self.grey:
            self.grey.add(address)
            return "451 4.7.1 greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        page = message.get_body(("html",)).get_content()
        reader = Reader()
        reader.feed(page)
        defects = [str(defect) for part in message.walk() for defect in part.defects]
        for _, value in message.items():
            defects += [str(defect) for defect in getattr(value, "defects", ())]
        said = {
            "tls": session.ssl is not None,
            "hello": session.host_name,
            "user": session.auth_data.login.decode() if session.auth_data else None,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": [[name, str(value)] for name, value in message.items()],
            "types": [part.get_content_type() for part in message.walk()],
            "text": message.get_body(("plain",)).get_content(),
            "html": page,
            "tags": reader.tags,
            "styles": reader.styles,
            "rows": reader.rows,
            "title": "".join(reader.text),
            "defects": defects,
        }
        print(json.dumps(said), flush=True)
        return "250 queued"


def main():
    # It minds a login without STARTTLS, implicit TLS or not.
    logging.disable()
    warnings.simplefilter("ignore")
    plan = json.loads(sys.argv[1])
    context = None
    if "cert" in plan:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(plan["cert"], plan["key"])
    options = {}
    if plan.get("user"):

        def check(server, session, envelope, mechanism, data):
            good = (data.login, data.password) == (plan["user"].encode(), plan["password"].encode())
            return AuthResult(success=good, auth_data=data, handled=False)

        # aiosmtpd does not count implicit TLS as encryption.
        tls = plan["security"] == "starttls"
        options = {"authenticator": check, "auth_required": True, "auth_require_tls": tls}
        if plan.get("only"):
            options["auth_exclude_mechanism"] = [name for name in ("PLAIN", "LOGIN") if name != plan["only"]]
    if plan["security"] == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    wrap = context if plan["security"] == "tls" else None
    asyncio.run(serve(wrap, options))


async def serve(wrap, options):
    loop = asyncio.get_running_loop()
    handler = Handler()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="fake.example.com", loop=loop, **options), "127.0.0.1", 0, ssl=wrap
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


main()
