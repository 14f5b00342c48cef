"""An SMTP server (aiosmtpd) that writes every mail it takes to standard output as one line of JSON.

    python server.py PORT

Says "listening" once it is. Ends when its standard input does, so that it never outlives the test that started it.
"""

import json
import sys

from aiosmtpd.controller import Controller


class Keeper:
    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.content.decode("utf-8", "replace"),
        }
        print(json.dumps(mail), flush=True)
        return "250 taken"


controller = Controller(Keeper(), hostname="127.0.0.1", port=int(sys.argv[1]))
controller.start()
print("listening", flush=True)
sys.stdin.read()
controller.stop()
