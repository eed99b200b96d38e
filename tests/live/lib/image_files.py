"""Writes image files in the many forms that decoders meet and that Pillow does not write: PNG, BMP, GIF, WebP, PNM by
hand, JPEG through tests/tools/encode_jpeg.c. Every function takes a random.Random and gives the file's bytes."""

import io
import struct
import subprocess
import zlib

import xxhash
from PIL import Image

# ---- Pictures and their fingerprints ---------------------------------------------------------------------------------


def fingerprint(data):
    return xxhash.xxh3_128_hexdigest(data)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def picture(chosen, mode, size):
    """Slopes and noise."""
    bands = Image.frombytes("RGBA", size, bytes(
        (x * (2 + c) + y * (7 - c) + chosen.randrange(60)) & 255
        for y in range(size[1]) for x in range(size[0]) for c in range(4)))
    return bands.convert("RGB").convert(mode) if mode in ("P", "CMYK", "1") else bands.convert(mode)


# ---- PNG -------------------------------------------------------------------------------------------------------------

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PNG_FORMS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16),
             (6, 8), (6, 16)]
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack_row(samples, depth):
    if depth == 16:
        return b"".join(struct.pack(">H", sample) for sample in samples)
    bits = "".join(format(sample, f"0{depth}b") for sample in samples)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def filter_row(kind, row, above, step):
    out = bytearray()
    for i, value in enumerate(row):
        left = row[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        estimate = left + above[i] - corner
        nearest = min((abs(estimate - left), 0, left), (abs(estimate - above[i]), 1, above[i]),
                      (abs(estimate - corner), 2, corner))[2]
        out.append(value - (0, left, above[i], (left + above[i]) // 2, nearest)[kind] & 255)
    return bytes([kind]) + bytes(out)


def png(chosen, width, height, color, depth, interlaced=False, transparent=False, palette_size=None):
    channels, colors = CHANNELS[color], 1 << min(depth, 8)
    palette_size = palette_size or colors
    top = palette_size if color == 3 else 1 << depth
    # A third of the 16-bit samples is small: 16-bit gray is cut off at 255.
    samples = [[[chosen.randrange(min(top, 400 if chosen.random() < 0.3 else top)) for _ in range(channels)]
                for _ in range(width)] for _ in range(height)]
    step, data = max(1, channels * depth // 8), b""
    for x0, y0, dx, dy in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        above = None
        for y in range(y0, height, dy):
            row = pack_row([sample for x in range(x0, width, dx) for sample in samples[y][x]], depth)
            if row:
                data += filter_row(chosen.randrange(5), row, above or bytes(len(row)), step)
                above = row
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", width, height, depth, color, 0, 0, interlaced))
    out += chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"tEXt", b"Comment\0made for a test")
    if color == 3:
        out += chunk(b"PLTE", chosen.randbytes(3 * palette_size))
    if transparent:
        out += chunk(b"tRNS", {0: b"\0\1", 2: b"\0\1\0\2\0\3", 3: chosen.randbytes(min(palette_size, 5))}[color])
    packed = zlib.compress(data)
    middle = chosen.randrange(len(packed))
    return out + chunk(b"IDAT", packed[:middle]) + chunk(b"IDAT", packed[middle:]) + chunk(b"IEND", b"")


# ---- BMP -------------------------------------------------------------------------------------------------------------

BITFIELDS = {
    16: [(0xF800, 0x7E0, 0x1F, 0), (0x7C00, 0x3E0, 0x1F, 0)],
    24: [(0xFF0000, 0xFF00, 0xFF, 0)],
    32: [(0xFF0000, 0xFF00, 0xFF, 0), (0xFF000000, 0xFF0000, 0xFF00, 0), (0xFF000000, 0xFF00, 0xFF, 0),
         (0xFF000000, 0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
         (0xFF0000, 0xFF00, 0xFF, 0xFF000000), (0xFF000000, 0xFF00, 0xFF, 0xFF0000), (0, 0, 0, 0)],
}


def bmp(chosen, width, height, bits, header_size=40, top_down=False, masks=None, palette="random", colors=0,
        rle=None, offset=None):
    """palette: random, gray or black_and_white; colors: the header's count; rle: the pixels; offset: the header's."""
    entry = 3 if header_size == 12 else 4
    count = colors or (1 << bits if bits <= 8 else 0)
    values = {"random": None, "gray": range(count), "black_and_white": (0, 255)}[palette]
    table = b"".join(
        (chosen.randbytes(3) if values is None else bytes([values[i]] * 3)) + b"\0" * (entry - 3) for i in range(count))
    compression = 3 if masks else 0 if rle is None else 1 if bits == 8 else 2
    stride = (width * bits + 31) // 32 * 4
    pixels = chosen.randbytes(stride * height) if rle is None else rle
    if bits == 8 and count < 256 and rle is None:
        pixels = bytes(byte % (count + 2) for byte in pixels)  # some lie beyond the palette
    if header_size == 12:
        info = struct.pack("<I4H", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header_size, width, -height if top_down else height, 1, bits, compression,
                           len(pixels), 2835, 2835, colors, 0)
        if masks:
            info += struct.pack("<4I", *masks)[:12 if header_size < 56 else 16]
        info += b"\0" * (header_size - len(info))
    start = 14 + len(info) + len(table)
    head = struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start if offset is None else offset)
    return head + info + table + pixels


def run_lengths(chosen, width, height, nibbles, start):
    """A random RLE8 or RLE4 stream that fills the picture. start: the offset of the stream in the file."""
    out = b""
    for y in range(height):
        x = 0
        while x < width:
            kind, length = chosen.random(), chosen.randint(1, min(255, width - x))
            if kind < 0.4 and length >= 3:
                literal = chosen.randbytes((length + 1) // 2 if nibbles else length)
                out += bytes([0, length]) + literal
                out += b"\0" * ((start + len(out)) % 2)
            elif kind < 0.5 and (x + length < width or y + 1 < height):
                out += bytes([0, 2, length, 0])
            else:
                out += bytes([length + (chosen.random() < 0.1), chosen.randrange(256)])
            x += length
        if chosen.random() < 0.9:
            out += b"\0\0"
    return out + b"\0\1"


# ---- GIF -------------------------------------------------------------------------------------------------------------


def gif(chosen, width, height, screen=None, offset=(0, 0), transparency=None, interlaced=False, colors=256):
    """One frame of `width` x `height` on a screen of its own size, or another."""
    image = Image.frombytes("P", (width, height), bytes(chosen.randrange(colors) for _ in range(width * height)))
    image.putpalette(chosen.randbytes(3 * colors))
    options = {} if transparency is None else {"transparency": transparency}
    data = bytearray(saved(image, "GIF", interlace=interlaced, optimize=False, **options))
    struct.pack_into("<2H", data, 6, *(screen or (width, height)))
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 128 else 0)
    while data[at] == ord("!"):
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    assert data[at] == ord(",")
    struct.pack_into("<2H", data, at + 1, *offset)
    return bytes(data)


# ---- WebP ------------------------------------------------------------------------------------------------------------


def riff(chunks):
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
                              for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def triple(value):
    return struct.pack("<I", value)[:3]


def webp_animation(canvas, frames, background=b"\x40\x80\xc0\xff"):
    """frames: (x, y, image, save options), x and y even."""
    chunks = [(b"VP8X", b"\x12\0\0\0" + triple(canvas[0] - 1) + triple(canvas[1] - 1)),
              (b"ANIM", background + b"\0\0")]
    for x, y, image, options in frames:
        data, parts = saved(image, "WEBP", **options)[12:], b""
        while data:
            size = 8 + struct.unpack("<I", data[4:8])[0]
            size += size % 2
            if data[:4] in (b"VP8 ", b"VP8L", b"ALPH"):
                parts += data[:size]
            data = data[size:]
        head = triple(x // 2) + triple(y // 2) + triple(image.width - 1) + triple(image.height - 1) + triple(100) + b"\0"
        chunks.append((b"ANMF", head + parts))
    return riff(chunks)


# ---- PNM -------------------------------------------------------------------------------------------------------------


def pnm(chosen, kind, width, height, maximum=255):
    """kind: 1 to 6. Plain files get comments and odd blanks."""
    channels, plain = 3 if kind in (3, 6) else 1, kind <= 3
    head = f"P{kind}\n# made for a test\n{width}\t# width\n {height}\n".encode()
    if kind in (1, 4):
        if kind == 4:
            return head + chosen.randbytes((width + 7) // 8 * height)
        return head + b"".join(chosen.choice((b"0", b"1")) + chosen.choice((b"", b" ", b"\n# no\n"))
                               for _ in range(width * height)) + b"\n"
    samples = [chosen.randrange(maximum + 1) for _ in range(width * height * channels)]
    if plain:
        text = b"".join(b"%d" % sample + chosen.choice((b" ", b"\n", b"\t ", b" # no\n")) for sample in samples)
        return head + b"%d\n" % maximum + text
    return head + b"%d\n" % maximum + pack_row(samples, 16 if maximum > 255 else 8)


# ---- JPEG ------------------------------------------------------------------------------------------------------------


def jpeg(tool, chosen, width, height, space="ycc", sampling="1x1", quality=75, progressive=False, arithmetic=False,
         restart=0):
    numbers = (width, height, chosen.randrange(1 << 30), quality), (progressive, arithmetic, restart)
    before, behind = ([str(int(number)) for number in part] for part in numbers)
    return subprocess.run([tool, *before, space, sampling, *behind], check=True, capture_output=True).stdout
