// Writes docs/flags.md from the table of flags (src/config/flag-table.ts). Run `npm run build` before.
import { writeFileSync } from "node:fs";
import { flagsPage } from "../dist/config/flags-page.js";

writeFileSync(new URL("../docs/flags.md", import.meta.url), flagsPage());
