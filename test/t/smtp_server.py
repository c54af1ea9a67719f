"""An SMTP server for tests: keeps each mail as a file, and fails when told to.

    /usr/bin/python3 smtp_server.py DIRECTORY PORT [option...]

Each mail becomes DIRECTORY/N.eml, with the envelope in its first lines (X-From, X-To).
DIRECTORY/answers has what to answer instead of 250, a line each: COMMAND PATTERN TIMES ANSWER,
where COMMAND is MAIL, RCPT or DATA and PATTERN is found in the address (DATA: the message).
It is read at every command; TIMES counts down (0: always). DIRECTORY/slow: seconds before DATA
is answered.

Options: tls=CERT,KEY (STARTTLS), login=USER:PASSWORD (needs tls).
"""
import asyncio
import os
import re
import signal
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

directory, port = sys.argv[1], int(sys.argv[2])
options = dict(o.split("=", 1) for o in sys.argv[3:])
used = {}
count = 0


def answer(command, text):
    try:
        lines = open(os.path.join(directory, "answers"), encoding="utf-8").read().splitlines()
    except FileNotFoundError:
        return None
    for line in lines:
        on, pattern, times, reply = line.split(" ", 3)
        if on == command and re.search(pattern, text):
            used[line] = used.get(line, 0) + 1
            if int(times) == 0 or used[line] <= int(times):
                return reply
    return None


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        reply = answer("MAIL", address)
        if reply is None:
            envelope.mail_from = address
        return reply or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        reply = answer("RCPT", address)
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 OK"

    async def handle_DATA(self, server, session, envelope):
        global count
        text = envelope.content.decode("utf-8", "replace")
        reply = answer("DATA", text)
        if reply is None:
            count += 1
            name = os.path.join(directory, "%d-%d.eml" % (os.getpid(), count))
            with open(name + ".tmp", "wb") as f:
                f.write(("X-From: %s\r\n" % envelope.mail_from).encode())
                f.write(("X-To: %s\r\n" % ",".join(envelope.rcpt_tos)).encode())
                f.write(("X-Tls: %s\r\n" % ("yes" if session.ssl else "no")).encode())
                f.write(("X-Login: %s\r\n" % ("yes" if session.authenticated else "no")).encode())
                f.write(envelope.original_content)
            os.rename(name + ".tmp", name)
        if os.path.exists(os.path.join(directory, "slow")):
            await asyncio.sleep(float(open(os.path.join(directory, "slow")).read()))
        return reply or "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    wanted = options["login"].split(":", 1)
    good = [data.login.decode(), data.password.decode()] == wanted
    return AuthResult(success=good, handled=good)


def protocol():
    more = {}
    if "tls" in options:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options["tls"].split(","))
        more["tls_context"] = context
    if "login" in options:
        more.update(authenticator=authenticate, auth_required=True)
    return SMTP(Handler(), enable_SMTPUTF8=True, hostname="localhost", **more)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", port)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    open(os.path.join(directory, "ready"), "w").close()
    await stop.wait()
    server.close()


asyncio.run(main())
