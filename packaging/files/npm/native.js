// Finds the program for this machine: it is in the package of the platform, which npm installed beside this one.
"use strict";
const path = require("node:path");

exports.native = (name) => {
  const main = require("./package.json").name;
  const platform = `${main}-${process.platform}-${process.arch}`;
  const file = process.platform === "win32" ? `${name}.exe` : name;
  try {
    return path.join(path.dirname(require.resolve(`${platform}/package.json`)), "bin", file);
  } catch {
    throw new Error(`${platform} is not installed (hint: npm install --include=optional ${main})`);
  }
};
