//! Errors that libraries only log, such as a shader the browser refuses, shown on the console.

use wasm_bindgen::JsValue;

struct Console;

impl log::Log for Console {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Error
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("{}: {}", record.target(), record.args());
            web_sys::console::error_1(&JsValue::from_str(&line));
        }
    }

    fn flush(&self) {}
}

/// Shows logged errors on the console from here on.
pub(super) fn forward_errors() {
    if log::set_logger(&Console).is_ok() {
        log::set_max_level(log::LevelFilter::Error);
    }
}
