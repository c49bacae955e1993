/** Stands before every import in a bundle that leads to an installed package: `millrace:<key>/<specifier>`. */
export const EXTERNAL_SCHEME = "millrace:";
