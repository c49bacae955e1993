/**
 * Real data: three million flights of the first half of 2001 in the United States, from the npm package
 * `vega-datasets` (source: U.S. Bureau of Transportation Statistics). The target is the arrival delay in minutes.
 *
 * Besides the clock and the distance, a flight is described by how late the flights were that left 3 to 6 hours before
 * it, when most of them have landed: from its origin, from its destination, and everywhere. All of it is known before
 * it leaves.
 */
import { createRequire } from "node:module";
import path from "node:path";
import {
  categoryColumn,
  numericColumn,
  parquetFacts,
  parquetRowGroups,
  type RowGroup,
  sampleRows,
  type Table,
} from "@millrace/ml";
import type { Columns } from "./common.ts";

const HOUR_MS = 3_600_000;
const SINCE_HOURS = 6;
const UNTIL_HOURS = 3;
/** This share of the file, its end, is kept apart: to a model that has learnt from the rest it is the future. */
const LATEST_SHARE = 0.01;
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

export const flightColumns: Columns = {
  numeric: ["hour", "distance", "origin_delay", "destination_delay", "overall_delay", "origin_flights"],
  categorical: ["weekday"],
  target: "delay",
  unit: "minutes",
};

/**
 * Reads a seeded sample of flights; three million rows are gone through in about two seconds.
 *
 * @param options.part  `history`: all but the last hundredth of the file; `latest`: the last hundredth
 */
export async function readFlights(options: { rows: number; seed: number; part: "history" | "latest" }): Promise<Table> {
  const file = path.join(
    path.dirname(createRequire(import.meta.url).resolve("vega-datasets")),
    "../data/flights-3m.parquet",
  );
  const total = (await parquetFacts(file)).rows;
  const border = Math.round(total * (1 - LATEST_SHARE));
  const [from, to] = options.part === "history" ? [0, border] : [border, total];
  const chosen = sampleRows(to - from, options.rows, options.seed).map((row) => row + from);
  const sample = new FlightSample();
  // A row group before the first chosen row is read as well: its flights are the hours before.
  const wants = ({ firstRow, rows }: { firstRow: number; rows: number }): boolean =>
    firstRow + 2 * rows > from && firstRow < to;
  for await (const group of parquetRowGroups(file, {
    columns: ["date", "delay", "distance", "origin", "destination"],
    wants,
  })) {
    sample.add(
      group,
      chosen.filter((row) => row >= group.firstRow && row < group.firstRow + group.rows),
    );
  }
  return sample.table();
}

type Numbers = [Float64Array, Float64Array, Float64Array];
type Texts = [readonly string[], readonly string[]];

/** Goes through the flights once, in the order of their departure, with a memory of a few hours. */
class FlightSample {
  readonly #everywhere = new RecentDelays();
  readonly #byOrigin = new Map<string, RecentDelays>();
  readonly #numbers = Object.fromEntries([...flightColumns.numeric, "delay"].map((name) => [name, [] as number[]]));
  readonly #weekdays: string[] = [];

  add(group: RowGroup, chosen: Int32Array): void {
    const [dates, delays, distances] = ["date", "delay", "distance"].map((name) =>
      numericColumn(group.columns, name),
    ) as Numbers;
    const [origins, destinations] = ["origin", "destination"].map((name) =>
      categoryColumn(group.columns, name),
    ) as Texts;
    let next = 0;
    for (let row = 0; row < group.rows; row++) {
      const hour = Math.floor(dates[row]! / HOUR_MS);
      const origin = this.#airport(origins[row]!);
      if (chosen[next] === group.firstRow + row) {
        next++;
        const date = new Date(dates[row]!);
        const before = origin.mean(hour);
        this.#push({
          hour: date.getUTCHours() + date.getUTCMinutes() / 60,
          distance: distances[row]!,
          origin_delay: before.delay,
          destination_delay: this.#airport(destinations[row]!).mean(hour).delay,
          overall_delay: this.#everywhere.mean(hour).delay,
          origin_flights: before.flights,
          delay: delays[row]!,
        });
        this.#weekdays.push(WEEKDAYS[date.getUTCDay()]!);
      }
      origin.add(hour, delays[row]!);
      this.#everywhere.add(hour, delays[row]!);
    }
  }

  table(): Table {
    const numbers = Object.entries(this.#numbers).map(([name, values]) => [name, Float64Array.from(values)]);
    return { ...Object.fromEntries(numbers), weekday: this.#weekdays };
  }

  #push(flight: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(flight)) this.#numbers[name]!.push(value);
  }

  #airport(code: string): RecentDelays {
    const known = this.#byOrigin.get(code);
    if (known !== undefined) return known;
    const delays = new RecentDelays();
    this.#byOrigin.set(code, delays);
    return delays;
  }
}

/** Sum and number of delays in each of the last hours. */
class RecentDelays {
  readonly #hours = new Int32Array(SINCE_HOURS + 1).fill(-1);
  readonly #sums = new Float64Array(SINCE_HOURS + 1);
  readonly #flights = new Float64Array(SINCE_HOURS + 1);

  add(hour: number, delay: number): void {
    const place = hour % this.#hours.length;
    if (this.#hours[place] !== hour) {
      this.#hours[place] = hour;
      this.#sums[place] = 0;
      this.#flights[place] = 0;
    }
    this.#sums[place]! += delay;
    this.#flights[place]! += 1;
  }

  /** Mean delay of the flights that left 3 to 6 hours before, drawn a little towards 0 where there were few. */
  mean(hour: number): { readonly delay: number; readonly flights: number } {
    let sum = 0;
    let flights = 0;
    for (let before = hour - SINCE_HOURS; before <= hour - UNTIL_HOURS; before++) {
      const place = before % this.#hours.length;
      if (this.#hours[place] !== before) continue;
      sum += this.#sums[place]!;
      flights += this.#flights[place]!;
    }
    return { delay: sum / (flights + 3), flights };
  }
}
