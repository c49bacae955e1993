/**
 * What a row is to reach.
 *
 * @typedef {{ kind: "at least" | "at most", limit: number }} Goal
 */

/** @returns {Goal} */
export function atLeast(limit) {
  return { kind: "at least", limit };
}

/** @returns {Goal} */
export function atMost(limit) {
  return { kind: "at most", limit };
}

/** @param {Goal} goal */
export function verdictOf({ kind, limit }, value) {
  return (kind === "at least" ? value >= limit : value <= limit) ? "reached" : "MISSED";
}
