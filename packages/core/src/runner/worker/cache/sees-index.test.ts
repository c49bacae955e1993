import { expect, test } from "vitest";
import { seesIndex } from "./sees-index.ts";

const name = "computed";

class Methods {
  none() {}
  item(_item: number) {}
  async late(_item: number) {}
  object({ a, b: c }: { a: number; b: number }) {
    return a + c;
  }
  list([a, b]: number[]) {
    return a! + b!;
  }
  [name](_item: number) {}
}

test.each(Object.getOwnPropertyNames(Methods.prototype).filter((each) => each !== "constructor"))(
  "%s takes the item alone",
  (each) => expect(seesIndex(Methods.prototype[each as keyof Methods])).toBe(each === "computed"),
);

// biome-ignore-start lint: what users may write, however they do it
const seen: Readonly<Record<string, object>> = {
  index: { f(_item: number, _index: number) {} }.f,
  "a default": { f(_item: number, _index = 0) {} }.f,
  "the rest": { f(..._given: number[]) {} }.f,
  arguments: {
    f(_item: number) {
      return arguments[1];
    },
  }.f,
  eval: {
    f(_item: number) {
      return eval("arguments[1]");
    },
  }.f,
  "an escape": new Function("return { f(item) { return argu\\u006dents[1]; } }.f")(),
  "a rest in a pattern": {
    f({ ...all }: object) {
      return all;
    },
  }.f,
  "a default in a pattern": {
    f({ a = 1 }: { a?: number }) {
      return a;
    },
  }.f,
  "a bound function": { f(_item: number, _index: number) {} }.f.bind(undefined),
  "a proxy": new Proxy({ f(_item: number, _index: number) {} }.f, {}),
  "an arrow": (_item: number, _index: number) => {},
  "a comment between": new Function("return { f(item /* , index */) {} }.f")(),
};
// biome-ignore-end lint: up to here

test.each(Object.keys(seen))("%s: the method may see the index", (each) => expect(seesIndex(seen[each]!)).toBe(true));
