/** What `vite.config.ts` writes before the service worker's code: the files of this build, relative to the page. */
declare const SEEDBED_BUILD: {
  /** A hash of the contents of all files. */
  version: string;
  /** The page with its code, styles, icons and tasks. */
  page: string[];
  model: string[];
  engines: { cpu: string[]; webgpu: string[] };
};
