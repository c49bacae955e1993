const WORDS = ["alpha", "beta", "gamma", "delta", "epsilon"];

/** Records as programs keep them: some numbers, some text, a flag and a short list. */
export function smallObjects(count) {
  return Array.from({ length: count }, (_, index) => ({
    id: index,
    name: `item ${index}`,
    kind: WORDS[index % WORDS.length],
    score: Math.sin(index) * 100,
    isKept: index % 3 === 0,
    tags: [WORDS[(index + 1) % WORDS.length], WORDS[(index + 2) % WORDS.length]],
  }));
}
