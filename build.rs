//! Generates the codec from the spec (see `msgr2_spec::rust`), and the tables of the walker (`msgr2_spec::tables`).

use std::path::{Path, PathBuf};
use std::{env, fs, process};

fn main() {
    write("generated", msgr2_spec::Spec::embedded());

    // A spec of no real protocol that uses everything that the language has: tests/invented.rs round-trips it.
    let invented = Path::new("tests/invented");
    println!("cargo:rerun-if-changed={}", invented.display());
    if invented.is_dir() {
        write("invented", msgr2_spec::Spec::from_folder(invented));
    }
}

fn write(name: &str, spec: Result<msgr2_spec::Spec, Vec<msgr2_spec::Problem>>) {
    let ir = spec.and_then(|spec| spec.resolve()).unwrap_or_else(|problems| fail(&problems));
    let code = msgr2_spec::rust::generate(&ir).unwrap_or_else(|what| fail(&[what]));
    let tables = msgr2_spec::tables::tables(&ir).to_bytes().unwrap_or_else(|e| fail(&[format!("tables: {e}")]));
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join(name);
    for (extension, bytes) in [("rs", code.into_bytes()), ("tables", tables)] {
        let out = out.with_extension(extension);
        fs::write(&out, bytes).unwrap_or_else(|e| fail(&[format!("{}: {e}", out.display())]));
    }
}

fn fail<T: std::fmt::Display>(problems: &[T]) -> ! {
    for problem in problems {
        eprintln!("spec: {problem}");
    }
    process::exit(1)
}
