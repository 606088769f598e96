"""Echo with uvloop's protocols, its fastest form: python3 echo-uvloop.py HOST PORT"""

import asyncio
import socket
import sys

import uvloop


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        self.transport.write(data)


loop = uvloop.new_event_loop()
host, port = sys.argv[1:3]
loop.run_until_complete(loop.create_server(Echo, host, int(port), backlog=511))
loop.run_forever()
