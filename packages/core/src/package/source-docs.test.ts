import { expect, test } from "vitest";
import { firstParagraph, readWrittenClasses } from "./source-docs.ts";

const SOURCE = `import { x } from "y"; /** about the import */

/** Not this one. */

/**
 * Trains a model
 * in rounds.
 *
 * More words.
 * @example no
 */
@storable({ name: "a" })
export default class Train extends Flow {
  /** How many. */
  readonly rounds = param(); /** not the next one's */
  plain!: string;

  /** Begins. */
  @step({ next: "end" })
  start() {}

  @step()
  /** Ends. */
  end() {}

  "quoted"() {} /* no doc comment */
  #hidden = 1;
  [computed]() {}
}

/** Expression. */
export const Other = class extends Flow { only() {} };
abstract class Base extends Flow {}
class {}
`.replace("class {}\n", "");

test("classes and members come with place and doc comment", async () => {
  const [train, other, base] = await readWrittenClasses("/w/train.ts", SOURCE);
  expect(train).toMatchObject({ name: "Train", isAbstract: false, place: { line: 13, column: 22 } });
  expect(firstParagraph(train!.doc)).toBe("Trains a model in rounds.");
  expect(
    Object.fromEntries([...train!.members].map(([name, member]) => [name, [member.place.line, member.doc]])),
  ).toEqual({
    rounds: [15, "How many."],
    plain: [16, undefined],
    start: [20, "Begins."],
    end: [24, "Ends."],
    quoted: [26, undefined],
  });
  expect(other).toMatchObject({ name: "Other", doc: "Expression." });
  expect(base).toMatchObject({ name: "Base", isAbstract: true });
  expect(base!.doc).toBeUndefined();
});

test("a first paragraph is one line without tags, or nothing", () => {
  expect(firstParagraph("One\ntwo.\n\nThree.")).toBe("One two.");
  expect(firstParagraph("@param x no\n")).toBeUndefined();
  expect(firstParagraph("Text\n@returns no")).toBe("Text");
  expect(firstParagraph(undefined)).toBeUndefined();
});
