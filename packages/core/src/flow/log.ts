/** Where a step records numbers about what it does: `this.log`, or `current.log` in functions that a step calls. */
export interface Log {
  /**
   * Records a value of a metric. What a task records is kept with the task when it ends well; of an attempt that fails
   * nothing is kept. `flow runs --sort metric:NAME` sorts runs by their last value.
   *
   * @param name 1 to 128 characters: letters, digits and `_ - . / @ % +`, beginning with a letter, a digit or `_`:
   *   `r2`, `val/loss`, `recall@5`
   * @param value any number; NaN and infinite ones are kept as they are
   * @param options.step where in a training the value stands, such as the epoch: a whole number from 0; default none.
   *   Values stay in the order in which they were recorded
   * @throws FlowError FLOW_RUNNER_BAD_METRIC for another name, value or step, and past 1,000,000 values or 1,000 names of
   *   one task; FLOW_FLOW_NOT_RUNNING when the task has ended
   * @example
   * ```ts
   * for (let epoch = 0; epoch < 50; epoch++) this.log.metric("loss", train(epoch), { step: epoch });
   * this.log.metric("r2", r2(predicted, actual));
   * ```
   */
  metric(name: string, value: number, options?: { readonly step?: number }): void;
}
