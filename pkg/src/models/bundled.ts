/** The model that comes with the page. */
export const BUNDLED_MODEL = "seedbed-3m";

export const BUNDLED_ABOUT = "3 million parameters, comes with the page; for seeing the method at work";
