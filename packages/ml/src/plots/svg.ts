/**
 * The common look of the plots: one SVG element of its own, with title and description for those who do not see it, and
 * colours for light and dark surroundings. Nothing is loaded from anywhere and every text is escaped.
 */

/** Text as it may stand in an SVG or HTML document, in elements and in attributes; control characters are dropped. */
export function escapeText(text: string): string {
  const clean = Array.from(text, (letter) => (isAllowed(letter) ? letter : "\ufffd")).join("");
  return clean
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** XML has no way at all to write most control characters and lone surrogates. */
function isAllowed(letter: string): boolean {
  const code = letter.codePointAt(0)!;
  return (
    code === 9 ||
    code === 10 ||
    code === 13 ||
    (code >= 32 && !(code >= 0xd800 && code <= 0xdfff) && code !== 0xfffe && code !== 0xffff)
  );
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

/** One set of colours. Blue and orange are of Okabe and Ito's palette, which stay apart for colour-blind readers. */
interface Palette {
  readonly paper: string;
  readonly ink: string;
  readonly soft: string;
  readonly grid: string;
  readonly axis: string;
  readonly mark: string;
  readonly best: string;
}

const LIGHT: Palette = {
  paper: "#ffffff",
  ink: "#16202b",
  soft: "#5b6876",
  grid: "#e6eaef",
  axis: "#aab4bf",
  mark: "#0072b2",
  best: "#d55e00",
};
const DARK: Palette = {
  paper: "#14191f",
  ink: "#e9eef3",
  soft: "#9aa7b4",
  grid: "#262e37",
  axis: "#4b5763",
  mark: "#56b4e9",
  best: "#e69f00",
};

/** Colours are written out, not CSS variables: programs that turn SVG into pictures do not know those. */
function colours({ paper, ink, soft, grid, axis, mark, best }: Palette): string {
  return [
    `.mr .paper{fill:${paper}}`,
    `.mr text{fill:${soft}}`,
    `.mr .title,.mr .axis-name,.mr .best .name{fill:${ink}}`,
    `.mr .grid{stroke:${grid}}`,
    `.mr .axis{stroke:${axis}}`,
    `.mr .identity{stroke:${ink}}`,
    `.mr .point,.mr .dot,.mr .box{fill:${mark}}`,
    `.mr .box,.mr .whisker,.mr .median{stroke:${mark}}`,
    `.mr .dot{stroke:${paper}}`,
    `.mr .best .box,.mr .best .dot{fill:${best}}`,
    `.mr .best .box,.mr .best .whisker,.mr .best .median{stroke:${best}}`,
  ].join("");
}

const STYLE = [
  ".mr text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;font-size:12px}",
  ".mr .title{font-size:19px;font-weight:600}",
  ".mr .subtitle{font-size:13px}",
  ".mr .axis-name{font-size:13px;font-weight:600}",
  ".mr .best .name{font-weight:600}",
  ".mr .identity{stroke-width:2}",
  ".mr .point{fill-opacity:.38}",
  ".mr .box{fill-opacity:.16;stroke-width:1.5}",
  ".mr .whisker{stroke-width:1.5}",
  ".mr .median{stroke-width:3}",
  ".mr .dot{stroke-width:1.5}",
  colours(LIGHT),
  `@media (prefers-color-scheme:dark){${colours(DARK)}}`,
].join("");
