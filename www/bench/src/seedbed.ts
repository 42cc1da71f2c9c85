/** The page of Seedbed's own engine, which runs in a worker as in the product. */
import { answer, type Job, type Outcome } from "./job";

void answer(
  (job, outcome) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
      worker.onmessage = ({ data }: MessageEvent<Partial<Outcome> & { done?: true }>) => {
        const { done, ...told } = data;
        Object.assign(outcome, told);
        if (done === true) {
          resolve();
        }
      };
      worker.onerror = (event) => reject(new Error(event.message));
      // A worker knows no page to be relative to.
      const absolute: Job = { ...job, base: new URL(job.base, location.href).href };
      worker.postMessage(absolute);
    }),
);
