"""Stands on TCP before the unix socket of a PostgreSQL server and stops answering on demand: it goes on accepting and
acknowledging, and says nothing more. Also changes the first message of a connection, as a pooler would."""
import asyncio
import struct
import threading


class Gate:
    """`mute_at`: bytes of a client after which its connection gets no answer any more, b"" for the very first ones.
    `after`: bytes that it must have sent before. `forward`: whether the server still gets those bytes. `times`: of how many connections.
    `on_startup(parameters)` gets those of a connection and gives the ones that the server shall see, or the bytes to answer with instead."""

    def __init__(self, socket, on_startup=None):
        self.socket, self.on_startup = socket, on_startup
        self.mute_at, self.forward, self.times, self.muted = None, True, 1_000_000, 0
        self.after = b""
        self.sent = bytearray()  # by all clients, after the first message of each
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self.listen(), self.loop).result(10)

    def dsn(self, user, database):
        return f"host=127.0.0.1 port={self.port} user={user} dbname={database} sslmode=disable gssencmode=disable"

    async def listen(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    def stop(self):
        async def end():
            self.server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
        asyncio.run_coroutine_threadsafe(end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def serve(self, reader, writer):
        there, out = None, None
        silent = asyncio.Event()
        try:
            first = await reader.readexactly(4)
            first += await reader.readexactly(struct.unpack("!I", first)[0] - 4)
            code = struct.unpack("!I", first[4:8])[0]
            if code == 196608 and self.on_startup:
                texts = first[8:-2].decode().split("\0")
                answer = self.on_startup(dict(zip(texts[::2], texts[1::2])))
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                    return
                body = b"".join(f"{k}\0{v}\0".encode() for k, v in answer.items()) + b"\0"
                first = struct.pack("!II", len(body) + 8, code) + body
            there, out = await asyncio.open_unix_connection(self.socket)
            up = asyncio.ensure_future(self.up(first, reader, out, silent))
            down = asyncio.ensure_future(self.down(there, writer, silent))
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            for task in (up, down):
                task.cancel()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # either end has gone
        finally:
            for end in (writer, out):
                if end is not None:
                    end.close()

    async def up(self, data, reader, out, silent):
        seen, first, passed = b"", data, False
        try:
            while data:
                if data is not first:
                    self.sent += data
                seen = (seen + data)[-65536:] if not silent.is_set() else b""
                if not passed and self.after in seen:
                    passed, seen = True, seen[seen.index(self.after):]
                if passed and self.mute_at is not None and not silent.is_set() and self.muted < self.times and self.mute_at in seen:
                    silent.set()
                    self.muted += 1
                    if self.forward:
                        out.write(data)
                elif not silent.is_set():
                    out.write(data)
                    await out.drain()
                data = await reader.read(65536)
        except ConnectionError:
            pass

    async def down(self, there, writer, silent):
        try:
            while data := await there.read(65536):
                if not silent.is_set():
                    writer.write(data)
                    await writer.drain()
            if silent.is_set():
                await asyncio.Event().wait()
        except ConnectionError:
            pass


def refusal(sqlstate, message):
    """The message of a server that lets nobody in."""
    body = b"".join(k + v.encode() + b"\0" for k, v in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", sqlstate), (b"M", message))) + b"\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body
