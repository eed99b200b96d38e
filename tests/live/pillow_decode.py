"""Compares formats/image.c with Pillow, byte by byte, on many random images of every format, mode and size. Where Pillow
raises, we fail; where Pillow reads, we read the same pixels."""

import os
import random
import subprocess
import tempfile
import warnings

from PIL import Image

from lib import image_files
from lib.image_files import fingerprint, picture, saved
from lib.tap import Tap

BUILD = os.environ.get("BUILD", "build")
DECODE = os.path.join(BUILD, "tests/tools/decode_image")
ENCODE_JPEG = os.path.join(BUILD, "tests/tools/encode_jpeg")
SIZES = [(1, 1), (1, 7), (2, 2), (3, 5), (8, 8), (9, 17), (16, 16), (17, 15), (31, 33), (40, 64), (65, 30)]


def jpegs(chosen):
    for size in SIZES:
        for quality in (1, 30, 75, 100):
            for subsampling in (0, 1, 2):
                yield saved(picture(chosen, "RGB", size), "JPEG", quality=quality, subsampling=subsampling,
                            progressive=chosen.random() < 0.3, optimize=chosen.random() < 0.3)
        yield saved(picture(chosen, "L", size), "JPEG", progressive=chosen.random() < 0.5)
        yield saved(picture(chosen, "CMYK", size), "JPEG")
        yield saved(picture(chosen, "RGB", size), "JPEG", keep_rgb=True)
        yield saved(picture(chosen, "RGB", size), "JPEG", restart_marker_blocks=3)
    for width, height in SIZES + [(300, 201), (1, 100), (100, 1)]:
        for space in ("gray", "ycc", "rgb", "cmyk", "ycck"):
            for sampling in ("1x1", "2x1", "1x2", "2x2", "4x1", "1x4", "4x2"):
                if sampling == "4x2" and space in ("cmyk", "ycck"):
                    continue  # more blocks than JPEG allows
                yield image_files.jpeg(ENCODE_JPEG, chosen, width, height, space, sampling,
                                       chosen.choice((2, 20, 60, 85, 95, 100)), chosen.random() < 0.4,
                                       # Pillow hands over 64 KiB at a time, between which arithmetic decoding fails.
                                       width < 300 and chosen.random() < 0.2, chosen.choice((0, 0, 1, 5)))


def pngs(chosen):
    for size in SIZES:
        for color, depth in image_files.PNG_FORMS:
            for interlaced in (False, True):
                yield image_files.png(chosen, *size, color, depth, interlaced,
                                      transparent=color in (0, 2, 3) and chosen.random() < 0.4)
        yield image_files.png(chosen, *size, 3, 8, palette_size=17)
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
            yield saved(picture(chosen, mode, size), "PNG")


def webps(chosen):
    for size in SIZES + [(200, 133)]:
        for mode in ("L", "RGB", "RGBA"):
            for options in ({"quality": 5}, {"quality": 80}, {"quality": 100, "method": 6}, {"lossless": True},
                            {"lossless": True, "exact": True}, {"quality": 50, "alpha_quality": 20}):
                yield saved(picture(chosen, mode, size), "WEBP", **options)
        frames = [picture(chosen, "RGBA", size) for _ in range(3)]
        yield saved(frames[0], "WEBP", save_all=True, append_images=frames[1:])
        for options in ({"quality": 60}, {"lossless": True}):
            yield image_files.webp_animation((size[0] + 11, size[1] + 7), [
                (4, 6, frames[0], options), (0, 0, frames[1].convert("RGB"), options)])


def bmps(chosen):
    for size in SIZES:
        for mode in ("1", "L", "P", "RGB", "RGBA"):
            yield saved(picture(chosen, mode, size), "BMP")
        for bits in (1, 4, 8, 16, 24, 32):
            for header_size in (12, 40, 52, 56, 64, 108, 124):
                yield image_files.bmp(chosen, *size, bits, header_size, header_size > 12 and chosen.random() < 0.3)
            for masks in image_files.BITFIELDS.get(bits, []):
                # A header of 40 bytes has no alpha mask.
                header_size = chosen.choice((56, 108, 124) if masks[3] else (40, 52, 56, 108, 124))
                yield image_files.bmp(chosen, *size, bits, header_size, masks=masks)
        for bits in (1, 4, 8):
            for palette in ("random", "gray", "black_and_white"):
                yield image_files.bmp(chosen, *size, bits, palette=palette, colors=2)
            yield image_files.bmp(chosen, *size, bits, offset=0)
            yield image_files.bmp(chosen, *size, bits, offset=54)
            yield image_files.bmp(chosen, *size, bits, palette="gray")
        yield image_files.bmp(chosen, *size, 8, colors=20)
        yield image_files.bmp(chosen, *size, 8, colors=20, palette="gray")
        for bits in (4, 8):
            for palette in ("random", "random", "gray"):
                stream = image_files.run_lengths(chosen, *size, bits == 4, 54 + 4 * (1 << bits))
                yield image_files.bmp(chosen, *size, bits, rle=stream, palette=palette,
                                      top_down=chosen.random() < 0.3)


def gifs(chosen):
    for width, height in SIZES:
        for transparency in (None, 0, 3):
            for interlaced in (False, True):
                yield image_files.gif(chosen, width, height, None, (0, 0), transparency, interlaced)
                yield image_files.gif(chosen, width, height, (width + 9, height + 4), (5, 3), transparency, interlaced)
                yield image_files.gif(chosen, width, height, (5, 4), (2, 1), transparency, interlaced, colors=17)
        yield saved(picture(chosen, "L", (width, height)), "GIF")
        yield saved(picture(chosen, "1", (width, height)), "GIF")
        frames = [picture(chosen, "P", (width, height)) for _ in range(3)]
        yield saved(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=2)
    yield image_files.gif(chosen, 300, 200)


def pnms(chosen):
    for size in SIZES:
        for kind in range(1, 7):
            for maximum in (1, 3, 100, 254, 255, 256, 1000, 40000, 65535) if kind not in (1, 4) else (1,):
                yield image_files.pnm(chosen, kind, *size, maximum)


def damaged(chosen, makers):
    """Cut short, with bits flipped: here only the pixels of those that both read are compared."""
    whole = [data for maker in makers for data in maker(random.Random(5))]
    for data in chosen.sample(whole, 400):
        yield data[:chosen.randrange(len(data))]
        flipped = bytearray(data)
        for _ in range(chosen.randint(1, 3)):
            flipped[chosen.randrange(len(data))] ^= 1 << chosen.randrange(8)
        yield bytes(flipped)


def by_pillow(path):
    """What the tool answers, or None where Pillow raises."""
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")
            rgb = image.convert("RGB")
            return f"{rgb.width} {rgb.height} {fingerprint(rgb.tobytes())}"
    except Exception:  # whatever the damage leads to
        return None


def compare(tap, folder, name, files, strict=True):
    """strict: the tool also fails where Pillow does, and only there."""
    total = read = 0
    wrong, stricter, milder = [], 0, 0
    with subprocess.Popen([DECODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tool:
        for data in files:
            path = os.path.join(folder, f"{name}-{total}")
            with open(path, "wb") as file:
                file.write(data)
            total += 1
            theirs = by_pillow(path)
            tool.stdin.write(path + "\n")
            tool.stdin.flush()
            ours = tool.stdout.readline().strip()
            failed = ours.startswith(("3 ", "4 ")) and len(ours.split()[-1]) != 32
            read += theirs is not None and not failed
            stricter += failed and theirs is not None
            milder += not failed and theirs is None
            if (ours != theirs) if theirs and not failed else strict and failed != (theirs is None):
                wrong.append(f"{path}: Pillow {theirs}, we {ours}")
            else:
                os.unlink(path)
        tool.stdin.close()
    label = f"{name}: {total} files, {read} read by both"
    if not strict:
        label += f", {stricter} by Pillow alone, {milder} by us alone"
    tap.check(read > 0 and not wrong, label, f"{len(wrong)} differ\n" + "\n".join(wrong[:8]))
    return wrong


def main():
    tap, makers = Tap(), (jpegs, pngs, webps, bmps, gifs, pnms)
    folder = tempfile.mkdtemp(prefix="minicpmv-images-")
    wrong = []
    for seed, maker in enumerate(makers):
        wrong += compare(tap, folder, maker.__name__, maker(random.Random(seed)))
    wrong += compare(tap, folder, "damaged", damaged(random.Random(9), makers), strict=False)
    if not wrong:
        subprocess.run(["rm", "-r", folder], check=True)
    tap.end()


main()
