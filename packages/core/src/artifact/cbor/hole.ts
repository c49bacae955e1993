/** Stands for a hole until the array around it is reached. */
export const HOLE = Symbol("hole");
