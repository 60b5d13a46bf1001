//! Runs bindgen over Wireshark's installed headers.

use std::{env, fs, path::PathBuf, process};

#[path = "allow.rs"]
mod allow;

/// Takes the place of pkg-config's answer.
const FLAGS: &str = "WIRESHARK_CFLAGS";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=allow.rs");
    println!("cargo::rerun-if-changed=wrapper.h");
    println!("cargo::rerun-if-env-changed={FLAGS}");
    println!("cargo::rustc-check-cfg=cfg(ws40)");

    let flags = match env::var(FLAGS) {
        Ok(flags) => flags.split_whitespace().map(str::to_owned).collect(),
        Err(_) => probe(),
    };
    let text = generate(&flags);

    let number = |name: &str| {
        text.split_once(&format!("pub const {name}: u32 = "))
            .and_then(|(_, rest)| rest.split_once(';'))
            .and_then(|(number, _)| number.trim().parse::<u32>().ok())
            .unwrap_or_else(|| fail(&[format!("ws_version.h does not define {name}")]))
    };
    let major = number("WIRESHARK_VERSION_MAJOR");
    let minor = number("WIRESHARK_VERSION_MINOR");
    let (series, known) = ((major, minor), [(4, 0), (4, 4), (4, 6)]);
    if !known.contains(&series) {
        println!("cargo::warning=the headers are Wireshark {major}.{minor}; 4.0, 4.4 and 4.6 are tested");
    }
    // The old interface: gboolean is an int, and fewer functions have a result.
    if series < (4, 4) {
        println!("cargo::rustc-cfg=ws40");
    }
    println!("cargo::metadata=version={major}.{minor}");
    println!("cargo::rustc-env=WIRESHARK_HEADERS_SERIES={major}.{minor}");

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    if let Err(error) = fs::write(out.join("bindings.rs"), text) {
        fail(&[format!("bindings.rs cannot be written: {error}")]);
    }
}

/// Asks pkg-config for the include directories, and for nothing to link.
fn probe() -> Vec<String> {
    let library =
        pkg_config::Config::new().cargo_metadata(false).env_metadata(true).probe("wireshark").unwrap_or_else(|error| {
            eprintln!("{error}");
            fail(&["Wireshark's headers were not found by pkg-config".to_owned(), packages()])
        });
    library.include_paths.iter().map(|path| format!("-I{}", path.display())).collect()
}

fn generate(flags: &[String]) -> String {
    let mut builder = bindgen::Builder::default()
        .header("wrapper.h")
        .clang_args(flags)
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .layout_tests(true)
        // Large, and behind a pointer that a dissector has no use for.
        .opaque_type("wtap_pseudo_header")
        .derive_debug(false)
        .derive_default(true)
        .generate_comments(false)
        .merge_extern_blocks(true)
        .wrap_unsafe_ops(true)
        .rust_target(bindgen::RustTarget::stable(85, 0).unwrap_or_else(|error| fail(&[error.to_string()])))
        .rust_edition(bindgen::RustEdition::Edition2024)
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new().rerun_on_header_files(true)));
    for name in allow::FUNCTIONS {
        builder = builder.allowlist_function(name);
    }
    for pattern in allow::TYPES {
        builder = builder.allowlist_type(pattern);
    }
    for pattern in allow::VARIABLES {
        builder = builder.allowlist_var(pattern);
    }

    // bindgen panics when libclang is not there.
    std::panic::set_hook(Box::new(|_| ()));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| builder.generate()));
    drop(std::panic::take_hook());
    match result {
        Ok(Ok(bindings)) => bindings.to_string(),
        Ok(Err(error)) => {
            let mut lines = vec![format!("Wireshark's headers cannot be read with these flags: {}", flags.join(" "))];
            lines.extend(error.to_string().lines().map(str::to_owned));
            lines.push(packages());
            fail(&lines)
        }
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("bindgen failed");
            fail(&[text.to_owned(), packages()])
        }
    }
}

fn packages() -> String {
    format!(
        "on Debian install: libwireshark-dev libglib2.0-dev libclang-dev pkg-config; for headers elsewhere set \
         {FLAGS} to the compiler's -I flags, LIBCLANG_PATH to libclang's directory"
    )
}

/// Ends the build with a message that cargo shows by itself.
fn fail(lines: &[String]) -> ! {
    for line in lines {
        println!("cargo::error={line}");
    }
    process::exit(1)
}
