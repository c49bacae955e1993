import { createHash } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { isFlowError } from "../../errors/flow-error.ts";
import { figure } from "./figure.ts";
import { figureFacts } from "./figure-facts.ts";

/** A grey picture, as any program writes it. */
function png(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const ends = [Buffer.alloc(4), Buffer.alloc(4)] as const;
    ends[0].writeUInt32BE(data.length);
    ends[1].writeUInt32BE(crc32(body));
    return Buffer.concat([ends[0], body, ends[1]]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const rows = Buffer.alloc((width + 1) * height, 0x80).fill(0, 0, 1);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** 16 × 8 px, of a program that writes JFIF. */
const jpeg = Buffer.from(
  "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wAALCAAIABABAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AN//Z",
  "base64",
);
const svg =
  '<?xml version="1.0"?>\n<!-- of a program -->\n<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 32"><rect/></svg>\n';
const html = "<!doctype html><html><head><title>A &amp; B</title></head><body></body></html>\n";

const refusal = (source: string | Uint8Array, options?: Parameters<typeof figure>[1]): string => {
  try {
    figure(source, options);
  } catch (error) {
    if (!isFlowError(error)) throw error;
    expect([error.code, typeof error.hint]).toEqual(["FLOW_ARTIFACT_BAD_FILE", "string"]);
    return error.message.replace("Cannot keep a figure: ", "");
  }
  return "kept";
};

describe("figure", () => {
  test("knows pictures and pages by their bytes, with their sizes", () => {
    expect([png(640, 480), jpeg, Buffer.from(svg), Buffer.from(html)].map(figureFacts)).toEqual([
      { type: "png", width: 640, height: 480 },
      { type: "jpg", width: 16, height: 8 },
      { type: "svg", width: 64, height: 32 },
      { type: "html", alt: "A & B" },
    ]);
    const sized = '<svg width="10.5px" height=\'20\' viewBox="0 0 1 1"><title>x &lt; y</title></svg>';
    expect(figureFacts(Buffer.from(sized))).toEqual({ type: "svg", width: 10.5, height: 20, alt: "x < y" });
    for (const other of ["", "plain text", "<p>html without a beginning</p>", "\x89PNG", '{"svg":1}'])
      expect(figureFacts(Buffer.from(other)), other).toBeUndefined();
  });

  test("keeps what it is given to the last byte, and is called after its type", () => {
    for (const [source, name] of [
      [png(3, 2), "figure.png"],
      [jpeg, "figure.jpg"],
      [svg, "figure.svg"],
      [html, "figure.html"],
    ] as const) {
      const kept = figure(source);
      expect([kept.name, kept.bytesSync()]).toEqual([name, Buffer.from(source)]);
    }
    const bytes = png(3, 2);
    const kept = figure(bytes, { name: "loss.png" });
    bytes.fill(0);
    expect([kept.name, kept.bytesSync()]).toEqual(["loss.png", png(3, 2)]);
  });

  test("writes what it shows where other programs look for it, in the same bytes each time", () => {
    const alt = "R² < 1 & more";
    for (const source of [png(3, 2), jpeg, svg]) {
      const [one, other] = [figure(source, { alt }), figure(source, { alt })].map((kept) => kept.bytesSync());
      expect(one).toEqual(other);
      const before = figureFacts(Buffer.from(source))!;
      expect(figureFacts(one!)).toEqual({ ...before, alt });
      expect(figureFacts(figure(one!, { alt: "again" }).bytesSync())).toEqual({ ...before, alt: "again" });
    }
    // Digests stand for bytes that others will compare with: they may never change.
    const sum = createHash("sha256").update(figure(svg, { alt }).bytesSync()).digest("hex");
    expect(sum.slice(0, 16)).toBe("c78be4d61a2aa951");
    expect(figure(svg, { alt }).bytesSync().toString()).toContain("<title>R² &lt; 1 &amp; more</title><rect/>");
    expect(refusal(html, { alt })).toBe("an HTML page takes no alt");
    expect(refusal(svg, { alt: "two\nlines" })).toContain("no line of 1 to 500 characters");
  });

  test("refuses what is cut short, without a size, or something else", () => {
    for (const [name, source] of Object.entries({
      png: png(30, 20),
      jpeg,
      svg: Buffer.from(svg.trim()),
      html: Buffer.from(html.trim()),
    })) {
      for (let length = 0; length < source.length; length++)
        expect(refusal(source.subarray(0, length)), `${name} with ${length} bytes`).not.toBe("kept");
    }
    expect(refusal("words")).toBe("it is no PNG, JPEG, SVG or HTML");
    expect(refusal('<svg width="100%"></svg>')).toBe("the SVG says no width and height");
    expect(refusal(png(0, 5))).toBe("the PNG says no width and height");
    expect(refusal(Buffer.concat([png(3, 2), Buffer.from("x")]))).toBe("the PNG goes on behind its end");
    expect(refusal('<svg viewBox="0 0 1 1"><script>1</script></svg>')).toBe("the SVG holds a script");
    for (const part of ['<g onload="a()"/>', "<a href='javascript:a()'/>", '<a xlink:href=" JavaScript:a()"/>'])
      expect([part, refusal(`<svg viewBox="0 0 1 1">${part}</svg>`)]).toEqual([part, "the SVG holds a script"]);
    expect(refusal('<svg viewBox="0 0 1 1"/>')).toBe("the SVG shows nothing");
    expect(refusal('<svg viewBox="0 0 1 1"><text>online = yes, on = 1</text></svg>')).toBe("kept");
    expect(refusal('<svg viewBox="0 0 1 1"><!ENTITY a "b"></svg>')).toBe("the SVG declares entities");
    expect(
      refusal(Buffer.concat([Buffer.from('<svg viewBox="0 0 1 1">'), Buffer.from([0xff]), Buffer.from("</svg>")])),
    ).toBe("the SVG is not written in UTF-8");
    expect(refusal("<svg>\ud800</svg>")).toBe("the text is not well-formed Unicode");
    expect(refusal(svg, { name: "a/b.svg" })).toContain("separator");
    expect(refusal(new Uint8Array(64 * 1024 * 1024 + 1))).toBe("it has more than 64 MiB");
  });

  test("each wrong byte of a PNG is found", () => {
    const source = png(30, 20);
    for (let at = 0; at < source.length; at++) {
      const damaged = Buffer.from(source);
      damaged[at]! ^= 1;
      expect(refusal(damaged), `byte ${at}`).not.toBe("kept");
    }
  });

  test("bytes that mean harm take no time and no memory", () => {
    const lengths = Buffer.alloc(200_000, 0xff); // Chunks and segments of every length that there is.
    const hostile = [
      Buffer.concat([png(1, 1).subarray(0, 33), lengths]),
      Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 0]), lengths]),
      Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.from("ffe00002".repeat(500_000), "hex")]),
      Buffer.from(`<svg ${'a="'.repeat(200_000)}`),
      Buffer.from(`<!-- ${"--- ".repeat(200_000)}<svg`),
      Buffer.from(`<html>${"<title ".repeat(200_000)}`),
      Buffer.from(`<html>${"<title>".repeat(200_000)}`),
      Buffer.from(`${" ".repeat(1_000_000)}<svg`),
    ];
    const before = performance.now();
    for (const bytes of hostile) expect(refusal(bytes)).not.toBe("kept");
    expect(performance.now() - before).toBeLessThan(5_000);
  });
});
