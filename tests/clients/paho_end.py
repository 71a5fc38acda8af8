"""How a connection of paho-mqtt ends."""

import socket


class Ends:
    """A client whose connection is `inner`."""

    def close(self):
        self.inner.disconnect()
        self.inner.loop_stop()

    def die(self):
        """The network goes away without a word."""
        # Not disconnect(): that would say goodbye.
        self.inner.on_disconnect = None
        self.inner.loop_stop()
        self.inner.socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.inner.socket().close()
