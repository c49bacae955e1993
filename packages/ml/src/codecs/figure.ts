/**
 * Pictures inside of other values, such as a list of plots: a file is kept in a field of its own alone, and a stored one
 * anywhere. A single picture is better kept as the file that `figure()` gives.
 */
import { figure, figureFacts, StoredFile } from "@millrace/core";
import type { ModelCodec } from "./model-codec.ts";

/** What `figure()` of core gives. Nothing is predicted from it. */
export const figureCodec: ModelCodec<StoredFile> = {
  id: "figure",
  version: 1,
  tolerance: 0,
  matches: (value) => value instanceof StoredFile && /\.(?:png|jpe?g|svg|html?)$/i.test(value.name),
  save: (file) => {
    const bytes = figure(file.bytesSync(), { name: file.name }).bytesSync(); // A file of this name may be something else.
    return { files: { [file.name]: bytes }, facts: { className: "Figure", parameters: { ...figureFacts(bytes) } } };
  },
  load: ({ files }) => {
    const [entry, second] = Object.entries(files);
    if (entry === undefined || second !== undefined) throw new TypeError("a figure is one file");
    return figure(entry[1], { name: entry[0] });
  },
  inspect: (files) => Object.values(files).map((bytes) => figureFacts(bytes)),
};
