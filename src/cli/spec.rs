//! `msgr2 spec`: the protocol's description itself.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use clap::{Args, Subcommand};
use msgr2_spec::{Ir, Problem, Spec};

/// Check the protocol's description, or print what is made of it.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check the spec files for what their schema can't say: dangling names, unreachable states, missing docs.
    Lint(Source),
    /// Print the JSON Schema of spec files, for editors.
    Schema,
    /// Print the Rust code that is generated from the spec.
    Rust(Source),
    /// Print the reference documentation, in Markdown.
    Doc(Source),
    /// Print the spec with all its names and expressions resolved, as JSON for programs in any language.
    Json {
        #[command(flatten)]
        source: Source,
        /// Print the JSON Schema of it instead, which says what all of it means.
        #[arg(long)]
        schema: bool,
    },
}

/// Where the spec files are.
#[derive(Args)]
pub(crate) struct Source {
    /// A folder with spec files; without it the spec that this program was built with.
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl Source {
    fn load(&self) -> Result<Ir> {
        let spec = match &self.folder {
            Some(folder) => Spec::from_folder(folder),
            None => Spec::embedded(),
        };
        let ir = spec.and_then(|spec| spec.resolve());
        ir.map_err(|problems| anyhow!("the spec can't be read\n{}", lines(&problems)))
    }

    /// The spec, if nothing is wrong with it.
    fn checked(&self) -> Result<Ir> {
        let ir = self.load()?;
        let problems = msgr2_spec::lint::check(&ir);
        if !problems.is_empty() {
            bail!("the spec has {} fault(s); mend them first\n{}", problems.len(), lines(&problems));
        }
        Ok(ir)
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join("\n")
}

pub(crate) fn run(command: &Command) -> Result<()> {
    let text = match command {
        Command::Lint(source) => {
            let ir = source.checked()?;
            let message_types = ir.enums.iter().find(|e| e.name == "message_type");
            format!(
                "no faults: {} dialects, {} structures, {} enums, {} message types\n",
                ir.dialects.len(),
                ir.bodies.iter().filter(|body| !body.is_message()).count(),
                ir.enums.iter().filter(|e| e.dialect.is_none()).count() + ir.flags.len(),
                message_types.map_or(0, |e| e.says.values.len()),
            )
        }
        Command::Schema => msgr2_spec::schema(),
        Command::Json { schema: true, .. } => msgr2_spec::json_schema(),
        Command::Json { source, .. } => msgr2_spec::json(&source.checked()?),
        Command::Rust(source) => msgr2_spec::rust::generate(&source.checked()?).map_err(|what| anyhow!(what))?,
        Command::Doc(source) => msgr2_spec::doc::markdown(&source.checked()?),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}
