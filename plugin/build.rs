//! Tells the code for which Wireshark series it is built.

use std::env;

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_WIRESHARK_HEADERS_VERSION");
    let series = env::var("DEP_WIRESHARK_HEADERS_VERSION").unwrap_or_default();
    println!("cargo:rustc-env=WIRESHARK_SERIES={series}");
}
