"""Draws the kernels' speeds below what the machine can do, as SVG: rate over operations a byte, both on logarithmic
scales, with the measured peaks as roofs.

usage: bench/roofline.py RESULTS.json >roofline.svg

RESULTS.json: what `minicpmv bench kernels --json` prints. Drawn are the results with the most threads. Products go by their type and
m x k x n (with the group), attention by queries, keys and dimensions of a head. Operations and bytes are counted as there: of products the bytes of weights, of attention those of keys and values, of everything else
what is read and written. Kernels without arithmetic are left out. Needs Python alone."""

import html
import json
import math
import sys

WIDTH, HEIGHT = 1100, 760
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 74, 56
LETTER, LINE = 6.6, 14  # of a label: the width of a letter, the height of a line
FAMILIES = [  # beginning of the names, what the legend calls them, color
    (("gemm_f32", "gemm_bf16", "gemm_f16"), "products of FP32, BF16 and F16", "#1f5fbf"),
    (("gemm_int8", "gemm_int4", "gemm_blocks", "gemm_nf4"), "products of int8 and int4", "#c2410c"),
    (("attention",), "attention", "#15803d"),
    (("resize", "unfold"), "pictures", "#7e22ce"),
    (("",), "rows and elements", "#52525b"),
]


def color_of(kernel):
    return next(color for names, _, color in FAMILIES if kernel.startswith(names))


def label_of(result):
    """The kernel and, where it is timed at several shapes, what tells them apart."""
    kernel, shape = result["kernel"], result["shape"]
    if kernel.startswith("gemm"):
        text = f"{kernel[5:]} {shape.replace(', groups of ', '/')}"
    elif kernel == "attention":
        words = shape.split()
        text = f"attention {words[2]} x {words[4]} x {words[7]}"
    else:
        text = kernel
    return text if result["target"] not in ("openblas", "sgemm") else f"{text} ({result['target']})"


class Plot:
    def __init__(self, x_range, y_range):
        self.x_range, self.y_range = x_range, y_range
        self.parts = []
        self.taken = []  # rectangles of labels and points: left, top, right, bottom

    def x(self, value):
        low, high = map(math.log, self.x_range)
        return LEFT + (math.log(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        low, high = map(math.log, self.y_range)
        return HEIGHT - BOTTOM - (math.log(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def line(self, x1, y1, x2, y2, style):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>')

    def text(self, x, y, text, style=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" {style}>{html.escape(text)}</text>')

    def axes(self):
        power = math.ceil(math.log2(self.x_range[0]))
        while 2 ** power <= self.x_range[1]:
            x = self.x(2 ** power)
            self.line(x, TOP, x, HEIGHT - BOTTOM, 'stroke="#ececf0"')
            name = str(2 ** power) if power >= 0 else f"1/{2 ** -power}"
            self.text(x, HEIGHT - BOTTOM + 17, name, 'text-anchor="middle"')
            power += 1
        rate = 1
        while rate <= self.y_range[1]:
            for step in (1, 2, 5):
                if self.y_range[0] <= rate * step <= self.y_range[1]:
                    y = self.y(rate * step)
                    self.line(LEFT, y, WIDTH - RIGHT, y, 'stroke="#ececf0"')
                    self.text(LEFT - 7, y + 4, str(rate * step), 'text-anchor="end"')
            rate *= 10
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, "operations a byte", 'text-anchor="middle"')
        self.text(18, (TOP + HEIGHT - BOTTOM) / 2, "10⁹ operations a second",
                  f'text-anchor="middle" transform="rotate(-90 18 {(TOP + HEIGHT - BOTTOM) / 2})"')

    def roofs(self, bandwidth, peaks):
        """The slope of the memory up to the highest peak, and each peak from the slope on."""
        style = 'stroke="#18181b" stroke-width="1.6"'
        low = max(self.x_range[0], self.y_range[0] / bandwidth)
        high = max(peaks.values()) / bandwidth
        self.line(self.x(low), self.y(low * bandwidth), self.x(high), self.y(high * bandwidth), style)
        steps = 200
        for i in range(steps):
            x = self.x(low * (high / low) ** (i / steps))
            y = self.y(bandwidth * low * (high / low) ** (i / steps))
            self.taken.append((x - 4, y - 4, x + 4, y + 4))
        x, y = self.x(low * 2), self.y(low * 2 * bandwidth)
        angle = math.degrees(math.atan2(self.y(high * bandwidth) - y, self.x(high) - x))
        self.text(x, y - 6, f"reading memory: {bandwidth:.1f} GB/s",
                  f'font-weight="600" transform="rotate({angle:.1f} {x:.1f} {y:.1f})"')
        for name, peak in peaks.items():
            y = self.y(peak)
            self.line(self.x(peak / bandwidth), y, WIDTH - RIGHT, y, style)
            text = f"{name}: {peak:.0f}"
            self.text(WIDTH - RIGHT - 4, y - 6, text, 'font-weight="600" text-anchor="end"')
            self.taken.append((WIDTH - RIGHT - len(text) * 7.4, y - 20, WIDTH - RIGHT, y))
            self.taken.append((self.x(peak / bandwidth), y - 2, WIDTH - RIGHT, y + 2))

    def overlaps(self, box):
        return any(box[0] < right and left < box[2] and box[1] < bottom and top < box[3]
                   for left, top, right, bottom in self.taken)

    def place(self, x, y, width):
        """Where a label goes: beside its point, or the nearest free place around it."""
        for distance in range(8, 400, 7):
            for angle in (0, 180, 30, -30, 150, -150, 60, -60, 120, -120, 90, -90):
                at_x = x + distance * 1.4 * math.cos(math.radians(angle))
                at_y = y - distance * math.sin(math.radians(angle))
                left = at_x if math.cos(math.radians(angle)) > 0.01 else at_x - width
                box = (left - 2, at_y - LINE / 2, left + width + 2, at_y + LINE / 2)
                inside = LEFT < box[0] and box[2] < WIDTH - RIGHT and TOP < box[1] and box[3] < HEIGHT - BOTTOM
                if inside and not self.overlaps(box):
                    return left, at_y, box
        raise SystemExit("no room for a label")

    def points(self, results):
        for x, y, _, _ in results:
            self.taken.append((self.x(x) - 4, self.y(y) - 4, self.x(x) + 4, self.y(y) + 4))
        for x, y, label, result in sorted(results, key=lambda item: -item[1]):
            px, py, color = self.x(x), self.y(y), color_of(result["kernel"])
            width = len(label) * LETTER
            left, middle, box = self.place(px, py, width)
            self.taken.append(box)
            end = left if left > px else left + width if left + width < px else left + width / 2
            if math.hypot(end - px, middle - py) > 14:
                self.line(px, py, end, middle, f'stroke="{color}" stroke-width="0.7" opacity="0.6"')
            own = result["target"] not in ("openblas", "sgemm")
            self.parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4" stroke="{color}" stroke-width="1.4" '
                              f'fill="{color if own else "white"}"/>')
            style = f'font-size="11" fill="{color}"'
            if left + width < px:
                self.text(left + width, middle + 4, label, style + ' text-anchor="end"')
            else:
                self.text(left, middle + 4, label, style)

    def legend(self):
        x = LEFT
        for _, name, color in FAMILIES:
            self.parts.append(f'<circle cx="{x + 4}" cy="{TOP - 16}" r="4" fill="{color}"/>')
            self.text(x + 13, TOP - 12, name, f'fill="{color}"')
            x += 34 + len(name) * 6.6
        self.parts.append(f'<circle cx="{x + 4}" cy="{TOP - 16}" r="4" fill="white" stroke="#1f5fbf" stroke-width="1.4"/>')
        self.text(x + 13, TOP - 12, "OpenBLAS")


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    with open(sys.argv[1]) as file:
        data = json.load(file)
    threads = max(result["threads"] for result in data["results"])
    limits = {limit["name"]: limit["value"] for limit in data["limits"]
              if limit["threads"] == threads and limit["value"]}
    results = [(result["operations"] / result["bytes"], result["operations"] / result["seconds"] / 1e9,
                label_of(result), result)
               for result in data["results"] if result["threads"] == threads and result["operations"]]
    bandwidth = limits.pop("read")
    names = {"f32": "FP32 multiply-adds", "bf16": "dot products of BF16", "int8": "dot products of bytes"}
    peaks = {names.get(name, name): value for name, value in limits.items()}
    lowest, highest = min(y for _, y, _, _ in results), max(peaks.values())
    plot = Plot((min(x for x, _, _, _ in results) / 1.5, max(x for x, _, _, _ in results) * 2.5),
                (lowest / 1.6, highest * 1.5))
    plot.text(LEFT, 22, f"{data['cpu']}, {threads} threads, target {data['target']}", 'font-size="15" font-weight="600"')
    plot.text(LEFT, 39, " ".join(name for name in data["features"] if not name.endswith("_state")), 'fill="#52525b"')
    plot.axes()
    plot.roofs(bandwidth, peaks)
    plot.points(results)
    plot.legend()
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
          f'font-family="DejaVu Sans, Verdana, sans-serif" font-size="12" fill="#27272a">')
    print(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>')
    print("\n".join(plot.parts))
    print("</svg>")


if __name__ == "__main__":
    main()
