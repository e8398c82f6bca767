#!/usr/bin/env node
// Starts the program of the same name. `install.js` replaces this file by that program where it can.
"use strict";
const { spawn } = require("node:child_process");
const os = require("node:os");
const path = require("node:path");

let program;
try {
  program = require("../native.js").native(path.basename(__filename));
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exit(1);
}
const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
// A terminal sends these to both, and the program decides what they mean; others are sent to this process only.
for (const signal of ["SIGINT", "SIGQUIT"]) process.on(signal, () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  console.error(`error: cannot start ${program}: ${error.message}`);
  process.exit(126);
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // A signal that is ignored here: as shells count it.
  setTimeout(() => process.exit(128 + os.constants.signals[signal]), 1000);
});
