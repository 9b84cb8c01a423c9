"""What servers send each other over the loopback interface, as byte streams. Needs root (an AF_PACKET socket), and no TLS between the servers."""
import ctypes
import socket
import struct
import threading

ETH_P_ALL, SO_ATTACH_FILTER, SOL_PACKET, PACKET_STATISTICS, PACKET_OUTGOING = 3, 26, 263, 6, 4
HEADER = 14  # of an Ethernet frame, on lo too


def _tcp_port_filter(low, high):
    """Classic BPF: IPv4, TCP, source or destination port from low to high."""
    program = [
        (0x28, 0, 0, 12),            # ldh [12]                  the frame's type
        (0x15, 0, 10, 0x0800),       # jeq IPv4, else reject
        (0x30, 0, 0, 23),            # ldb [23]                  the protocol
        (0x15, 0, 8, 6),             # jeq TCP, else reject
        (0xB1, 0, 0, 14),            # ldxb 4*([14]&0xf)         the IP header's length
        (0x48, 0, 0, 14),            # ldh [x+14]                source port
        (0x35, 0, 1, low),           # jge low, else the other port
        (0x25, 0, 3, high),          # jgt high: the other port; else accept
        (0x48, 0, 0, 16),            # ldh [x+16]                destination port
        (0x35, 0, 2, low),           # jge low, else reject
        (0x25, 1, 0, high),          # jgt high: reject
        (0x06, 0, 0, 0x40000),       # accept
        (0x06, 0, 0, 0),             # reject
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program), len(program)


class Capture(threading.Thread):
    """A with block: what was sent on these ports meanwhile. `streams` maps (source port, destination port) to bytes."""

    def __init__(self, low, high):
        super().__init__(daemon=True)
        code, length = _tcp_port_filter(low, high)
        self.code = ctypes.create_string_buffer(code, len(code))
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HxxxxxxP", length, ctypes.addressof(self.code)))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        self.sock.bind(("lo", 0))
        self.sock.settimeout(0.2)
        self.packets, self.stop, self.dropped = [], threading.Event(), 0

    def run(self):
        while not self.stop.is_set():
            try:
                data, address = self.sock.recvfrom(1 << 18)
            except TimeoutError:
                continue
            if address[2] != PACKET_OUTGOING:  # lo shows each packet twice
                self.packets.append(data)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.join()
        self.dropped = struct.unpack("II", self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        self.sock.close()

    @property
    def streams(self):
        """In the order of sequence numbers; what was sent again is left out."""
        found, following = {}, {}
        for packet in self.packets:
            ip = packet[HEADER:]
            tcp = ip[(ip[0] & 15) * 4:struct.unpack_from(">H", ip, 2)[0]]
            source, destination, number = struct.unpack_from(">HHI", tcp)
            data, key = tcp[(tcp[12] >> 4) * 4:], (source, destination)
            if tcp[13] & 2:  # SYN
                following[key] = number + 1 & 0xFFFFFFFF
                continue
            known = following.get(key, number) - number & 0xFFFFFFFF
            if known < len(data):
                found.setdefault(key, bytearray()).extend(data[known:])
                following[key] = number + len(data) & 0xFFFFFFFF
        return {key: bytes(stream) for key, stream in found.items()}
