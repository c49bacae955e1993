/** Pictures among the artifacts, in words. */
import type { FigureFacts } from "@millrace/core/internal";
import { plain } from "./text.ts";

const NAMES: Readonly<Record<FigureFacts["type"], string>> = { png: "PNG", jpg: "JPEG", svg: "SVG", html: "HTML page" };

/** `PNG 640 × 480 "R² of each contender"` */
export function figureText({ type, width, height, alt }: FigureFacts): string {
  const size = width === undefined ? "" : ` ${short(width)} × ${short(height!)}`;
  return `${NAMES[type]}${size}${alt === undefined ? "" : ` ${JSON.stringify(plain(alt))}`}`;
}

function short(length: number): string {
  return String(Number(length.toFixed(2)));
}
