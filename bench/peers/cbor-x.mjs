// cbor-x, with plain maps: what the usual encoder of the same format makes of the same values.
import { Encoder } from "cbor-x";

const encoder = new Encoder({ useRecords: false });

export const encode = (value) => encoder.encode(value);
export const decode = (bytes) => encoder.decode(bytes);
