#!/usr/bin/env python3
"""Draws the images of the golden cases into golden/images: small landscapes in every format and mode that matters."""

import argparse
import math
import sys
from pathlib import Path

from PIL import Image, ImageDraw

RED, GREEN, BLUE, WHITE, SUN = (200, 30, 40), (40, 150, 60), (60, 120, 220), (250, 250, 245), (255, 215, 60)


def landscape(width: int, height: int, shift: float = 0.0) -> Image.Image:
    """Sky, field, sun, a house, waves: gradients, straight edges and fine lines. `shift` (0..1) moves the sun."""
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    horizon = height * 3 / 5
    for y in range(height):
        part = y / height
        sky = tuple(round(c + (255 - c) * part) for c in BLUE)
        field = tuple(round(c * (1.3 - part)) for c in GREEN)
        draw.line([(0, y), (width, y)], fill=sky if y < horizon else field)
    size = min(width, height)
    x, y = width * (0.15 + 0.7 * shift), height * (0.3 - 0.15 * math.sin(math.pi * shift))
    draw.ellipse([x - size * 0.12, y - size * 0.12, x + size * 0.12, y + size * 0.12], fill=SUN)
    left, wall, base = width * 0.55, height * 0.8 - size * 0.3, height * 0.8
    draw.rectangle([left, wall, left + size * 0.35, base], fill=WHITE, outline=RED)
    roof = [(left, wall), (left + size * 0.175, wall - size * 0.2), (left + size * 0.35, wall)]
    draw.polygon(roof, fill=RED)
    for i in range(0, width, 3):
        draw.point((i, round(height * 0.9 + math.sin(i) * 2)), fill=WHITE)
    draw.text((2, 1), "Hi 7", fill=(20, 20, 60))
    return image


def alpha_ramp(image: Image.Image) -> Image.Image:
    ramp = Image.linear_gradient("L").resize(image.size)
    image = image.copy()
    image.putalpha(ramp)
    return image


def deep_gray(width: int, height: int) -> Image.Image:
    """16 bits a pixel, of which conversion to RGB clips what is above 255."""
    image = Image.new("I;16", (width, height))
    for y in range(height):
        for x in range(width):
            image.putpixel((x, y), x * 8 + y * 3)
    return image


def write_formats(folder: Path) -> None:
    """One picture in every mode and format. All are small and of different sizes, so that none can stand in for
    another."""
    landscape(39, 27).convert("L").save(folder / "gray.png")
    landscape(40, 28).convert("LA").save(folder / "gray-alpha.png")
    deep_gray(37, 26).save(folder / "gray16.png")
    landscape(36, 27).convert("1").save(folder / "bits.png")
    landscape(38, 26).quantize(16).save(folder / "palette.png")
    landscape(41, 29).quantize(8).save(folder / "palette-transparent.png", transparency=3)
    alpha_ramp(landscape(35, 28)).save(folder / "alpha.png")
    landscape(43, 31).save(folder / "rgb.bmp")
    landscape(42, 30).save(folder / "420.jpg", quality=80, subsampling="4:2:0")
    landscape(45, 29).save(folder / "444-progressive.jpg", quality=90, subsampling="4:4:4", progressive=True)
    landscape(44, 27).convert("L").save(folder / "gray.jpg", quality=85)
    landscape(33, 27).convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    turned = Image.Exif()
    turned[0x0112] = 6
    landscape(46, 24).save(folder / "turned.jpg", quality=85, exif=turned)
    landscape(47, 28).save(folder / "lossy.webp", quality=75)
    alpha_ramp(landscape(34, 26)).save(folder / "lossless-alpha.webp", lossless=True)
    frames = [landscape(32, 25, shift) for shift in (0.0, 0.5, 1.0)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:], duration=100)


def write_scenes(folder: Path) -> None:
    """Pictures whose sizes decide how they are cut."""
    landscape(48, 34).save(folder / "scene.png")
    landscape(34, 46).save(folder / "portrait.png")
    landscape(120, 80).save(folder / "large.png")
    landscape(160, 130).save(folder / "huge.png")
    landscape(20, 220).save(folder / "tall.png")
    landscape(260, 16).save(folder / "wide.png")
    landscape(9, 7).save(folder / "tiny.png")
    landscape(40, 40).save(folder / "square.png")
    for frame in range(12):
        landscape(44, 36, frame / 11).save(folder / f"frame{frame:02}.png")
    for frame in range(3):
        landscape(70, 40, frame / 2).save(folder / f"pan{frame}.png")
    # Slices of 49, 58 and 77 patches in a row, where the model's 70 by 70 position table is enough or not.
    landscape(480, 5).save(folder / "strip49.png")
    landscape(673, 5).save(folder / "strip58.png")
    landscape(948, 4).save(folder / "strip77.png")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "images", metavar="DIR")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    write_formats(folder)
    write_scenes(folder)
    files = list(folder.iterdir())
    print(f"{folder}: {len(files)} images, {sum(file.stat().st_size for file in files)} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
