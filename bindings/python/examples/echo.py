"""The echo of examples/echo_peer.cc in Python.

    echo.py                        prints its address and public key, and listens
    echo.py ADDR:PORT KEY MESSAGE  connects
"""
import asyncio
import sys

from godwit import AsyncNode, GodwitError, SecretKey


async def answer(connection):
    async for message in connection:
        await connection.send(message)


async def listen():
    async with AsyncNode(SecretKey.generate(), bind="127.0.0.1:0") as node:
        print(f"listening on {node.local_address}\npublic key {node.public_key}", flush=True)
        tasks = set()
        while True:
            task = asyncio.create_task(answer(await node.accept()))
            tasks.add(task)
            task.add_done_callback(tasks.discard)


async def ask(address, key, text):
    async with AsyncNode(SecretKey.generate(), bind="127.0.0.1:0") as node:
        connection = await node.connect(address, key)
        await connection.send(text.encode())
        print((await connection.receive()).decode())
        await connection.close("thank you")


def main():
    try:
        if len(sys.argv) == 4:
            asyncio.run(ask(*sys.argv[1:]))
        else:
            asyncio.run(listen())
    except GodwitError as error:
        print(f"echo.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
