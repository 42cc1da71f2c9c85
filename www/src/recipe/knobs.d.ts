declare module "virtual:knobs" {
  export const KNOBS: readonly import("./knob").Knob[];
  export const SWITCHES: readonly import("./knob").Switch[];
}
