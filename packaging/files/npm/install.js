// Replaces each script in `bin` by the program that it starts, which spares 0.1 s of node at each call. Where that is not
// possible, or npm was told to run no scripts, the scripts stay and do the same.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { native } = require("./native.js");

// Only npm on Unix starts what is in `bin` as it is: elsewhere a shell script or a .cmd file was made that starts node.
const isNpm = (process.env.npm_config_user_agent || "").startsWith("npm/");
if (isNpm && process.platform !== "win32") {
  try {
    for (const name of fs.readdirSync(path.join(__dirname, "bin"))) {
      const script = path.join(__dirname, "bin", name);
      const fresh = `${script}.new`;
      fs.rmSync(fresh, { force: true });
      try {
        fs.linkSync(native(name), fresh);
      } catch (error) {
        if (!error.code) throw error;
        // A file system without hard links, or another one.
        fs.copyFileSync(native(name), fresh);
        fs.chmodSync(fresh, 0o755);
      }
      fs.renameSync(fresh, script);
    }
  } catch (error) {
    console.warn(`${error.message}`);
  }
}
