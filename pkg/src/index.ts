/**
 * Seedbed: a small language model that fine-tunes itself in the browser tab, from a handful of labelled examples.
 *
 * ```ts
 * const student = await Seedbed.load("bundled");
 * const run = student.evolve(task, { recipe: "psi", seed: 1 });
 * for await (const event of run) console.log(event.type);
 * await student.predict("play some jazz");
 * ```
 */
export { Seedbed, type ModelSource } from "./seedbed";
export type { Abortable, EvolveOptions, GenerateRequest, LoadOptions, LoadProgress, PredictOptions, Student, StudentPrediction } from "./student";
export type { Run } from "./run";
export type { EntityExample, Example, QuestionExample, Task } from "./task";
export { SeedbedError, type ErrorCode } from "./errors";
export type { AdapterFiles, DeviceChoice, Embeddings, ModelInfo, Prediction, TaskSummary } from "./protocol";
export type { Dtype } from "./models/types";
export type * from "./events";
