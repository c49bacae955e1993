/**
 * The common look of the plots: one SVG element of its own, with title and description for those who do not see it, and
 * colours for light and dark surroundings. Nothing is loaded from anywhere and every text is escaped.
 */

/** Text as it may stand in an SVG or HTML document, in elements and in attributes; control characters are dropped. */
export function escapeText(text: string): string {
  const clean = Array.from(text, (letter) => (isAllowed(letter) ? letter : "\ufffd")).join("");
  return clean.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}

/** XML has no way at all to write most control characters and lone surrogates. */
function isAllowed(letter: string): boolean {
  const code = letter.codePointAt(0)!;
  return code === 9 || code === 10 || code === 13 || (code >= 32 && !(code >= 0xd800 && code <= 0xdfff) && code !== 0xfffe && code !== 0xffff);
}

/** A place or length in px, short. */
export function px(value: number): string {
  return Number(value.toFixed(2)).toString();
}

/** What a figure shows besides its marks. */
export interface Figure {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  /** One line under the title. */
  readonly subtitle: string;
  /** What the figure says, in words. */
  readonly description: string;
  /** SVG elements, back to front. */
  readonly body: readonly string[];
}

/** A whole SVG document, as a string without a prolog, so that it may also stand inside HTML. */
export function drawFigure(figure: Figure): string {
  const { width, height } = figure;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="mr" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escapeText(figure.title)}</title>`,
    `<desc>${escapeText(figure.description)}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${width}" height="${height}" rx="10"/>`,
    `<text class="title" x="28" y="38">${escapeText(figure.title)}</text>`,
    `<text class="subtitle" x="28" y="60">${escapeText(figure.subtitle)}</text>`,
    ...figure.body,
    "</svg>",
    "",
  ].join("\n");
}

// Blue and vermilion of Okabe and Ito's palette, which stay apart for colour-blind readers.
const STYLE = [
  ".mr{--paper:#fff;--ink:#16202b;--soft:#5b6876;--grid:#e6eaef;--axis:#aab4bf;--mark:#0072b2;--best:#d55e00;font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}",
  "@media (prefers-color-scheme:dark){.mr{--paper:#14191f;--ink:#e9eef3;--soft:#9aa7b4;--grid:#262e37;--axis:#4b5763;--mark:#56b4e9;--best:#e69f00}}",
  ".mr .paper{fill:var(--paper)}",
  ".mr text{fill:var(--soft);font-size:12px}",
  ".mr .title{fill:var(--ink);font-size:19px;font-weight:650}",
  ".mr .subtitle{font-size:13px}",
  ".mr .axis-name{fill:var(--ink);font-size:13px;font-weight:600}",
  ".mr .grid{stroke:var(--grid);stroke-width:1}",
  ".mr .axis{stroke:var(--axis);stroke-width:1}",
  ".mr .identity{stroke:var(--ink);stroke-width:2}",
  ".mr .point{fill:var(--mark);fill-opacity:.38}",
  ".mr .box{fill:var(--mark);fill-opacity:.16;stroke:var(--mark);stroke-width:1.5}",
  ".mr .whisker,.mr .median{stroke:var(--mark);stroke-width:1.5}",
  ".mr .median{stroke-width:3}",
  ".mr .dot{fill:var(--mark);stroke:var(--paper);stroke-width:1.5}",
  ".mr .best .box{fill:var(--best);stroke:var(--best)}",
  ".mr .best .whisker,.mr .best .median{stroke:var(--best)}",
  ".mr .best .dot{fill:var(--best)}",
  ".mr .best .name{fill:var(--ink);font-weight:650}",
].join("");
