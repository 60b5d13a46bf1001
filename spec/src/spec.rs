//! The files put together: names are global, but for what a dialect's folder holds.

use indexmap::{IndexMap, IndexSet};

use crate::load::{Problem, Source, at};
use crate::model::*;

/// The whole spec.
#[derive(Debug, Default)]
pub struct Spec {
    /// Fields that no single type owns.
    pub common: Named<Common>,
    /// What decoders are told.
    pub context: Named<ContextVariable>,
    /// Bounds.
    pub limits: Named<Limit>,
    /// What the tracker reports.
    pub findings: Named<Finding>,
    /// Numbers with names.
    pub enums: Named<Enum>,
    /// Words of bits.
    pub flags: Named<Flags>,
    /// Structures that dialects share.
    pub types: Named<Struct>,
    /// Other names for types.
    pub aliases: Named<Alias>,
    /// Conditions between moves.
    pub guards: Named<Described>,
    /// What is done in moves.
    pub actions: Named<Described>,
    /// Message bodies.
    pub messages: Named<Message>,
    /// Dialects, parents before children.
    pub dialects: IndexMap<String, DialectView>,
    /// The file of each top-level item, by `section.name`, for messages about it.
    places: IndexMap<String, String>,
}

/// A dialect with all that it inherits.
#[derive(Debug)]
pub struct DialectView {
    /// The folder of its files.
    pub folder: String,
    /// The line where its own file says what it is.
    pub line: u64,
    /// What its own file says of it.
    pub info: Dialect,
    /// Its banner.
    pub banner: Option<At<Banner>>,
    /// Its envelope.
    pub envelope: Option<At<Envelope>>,
    /// Structures of its own.
    pub types: Named<Struct>,
    /// All its frames.
    pub tags: Named<Tag>,
    /// The frames that it adds to those of its parent, or changes.
    pub own_tags: IndexSet<String>,
    /// All its states.
    pub states: IndexMap<Role, Named<State>>,
    /// Whether states are its own.
    pub own_states: bool,
    /// Conversations of its own.
    pub exchanges: Named<Exchange>,
}

impl DialectView {
    /// The dialect's name as a Rust module: `v2.1` is `v2_1`.
    pub fn module(&self) -> String {
        self.info.name.replace(['.', '-'], "_")
    }
}

impl Spec {
    /// Reads and joins all files of a folder.
    pub fn from_folder(root: &std::path::Path) -> Result<Spec, Vec<Problem>> {
        Spec::join(crate::load::folder(root)?)
    }

    /// Joins the files that this library carries.
    pub fn embedded() -> Result<Spec, Vec<Problem>> {
        Spec::join(crate::load::embedded()?)
    }

    /// Joins files. What it finds wrong are names that stand twice and dialects that don't fit together.
    pub fn join(sources: Vec<Source>) -> Result<Spec, Vec<Problem>> {
        let mut spec = Spec::default();
        let mut problems = Vec::new();
        let mut of_dialects: IndexMap<String, Vec<Source>> = IndexMap::new();
        let folders: IndexSet<String> =
            sources.iter().filter(|s| s.file.dialect.is_some()).map(|s| parent(&s.path).to_owned()).collect();

        for source in sources {
            if folders.contains(parent(&source.path)) {
                of_dialects.entry(parent(&source.path).to_owned()).or_default().push(source);
                continue;
            }
            let Source { path, file } = source;
            let own = [file.tags.is_empty(), file.states.is_empty(), file.exchanges.is_empty()];
            if file.banner.is_some() || file.envelope.is_some() || own.contains(&false) {
                let what = "banner, envelope, tags, states and exchanges belong into the folder of a dialect";
                problems.push(at(&path, 0, "", what));
            }
            spec.add_shared(&path, file, &mut problems);
        }
        spec.add_dialects(of_dialects, &mut problems);
        spec.share_values(&mut problems);
        if problems.is_empty() { Ok(spec) } else { Err(problems) }
    }

    /// Looks up all its names and reads all its expressions, or says what is wrong with them.
    pub fn resolve(&self) -> Result<crate::Ir, Vec<Problem>> {
        crate::resolve::resolve(self)
    }

    /// Gives enums that are like another its values.
    fn share_values(&mut self, problems: &mut Vec<Problem>) {
        for index in 0..self.enums.len() {
            let Some((name, like)) = self.enums.get_index(index).and_then(|(n, e)| Some((n.clone(), e.like.clone()?)))
            else {
                continue;
            };
            let line = self.enums[index].line;
            match self.enums.get(&like).map(|e| e.values.clone()) {
                Some(values) if !values.is_empty() && self.enums[index].values.is_empty() => {
                    self.enums[index].values = values;
                }
                _ => {
                    let key = format!("enums.{name}");
                    problems.push(at(
                        self.place(&key),
                        line,
                        &format!("{key}.like"),
                        "names no enum with values, or has values beside it",
                    ));
                }
            }
        }
    }

    fn add_shared(&mut self, path: &str, file: File, problems: &mut Vec<Problem>) {
        macro_rules! merge {
            ($($section:ident),*) => {$(
                for (name, item) in file.$section {
                    let key = format!("{}.{name}", stringify!($section));
                    if let Some(first) = self.places.get(&key) {
                        problems.push(at(path, item.line, &key, &format!("stands in {first} already")));
                        continue;
                    }
                    self.places.insert(key, path.to_owned());
                    self.$section.insert(name, item);
                }
            )*};
        }
        merge!(common, context, limits, findings, enums, flags, types, aliases, guards, actions, messages);
    }

    fn add_dialects(&mut self, mut folders: IndexMap<String, Vec<Source>>, problems: &mut Vec<Problem>) {
        while !folders.is_empty() {
            // a parent comes before its children
            let ready = folders.iter().position(|(_, sources)| {
                let info = sources.iter().find_map(|s| s.file.dialect.as_ref());
                info.is_some_and(|d| d.extends.as_ref().is_none_or(|parent| self.dialects.contains_key(parent)))
            });
            let Some(index) = ready else {
                for sources in folders.values() {
                    problems.push(at(
                        &sources[0].path,
                        0,
                        "dialect.extends",
                        "names no dialect, or one that comes back to this",
                    ));
                }
                return;
            };
            if let Some((_, sources)) = folders.shift_remove_index(index) {
                self.add_dialect(sources, problems);
            }
        }
    }

    fn add_dialect(&mut self, sources: Vec<Source>, problems: &mut Vec<Problem>) {
        let folder = sources.first().map_or("", |s| parent(&s.path)).to_owned();
        let mut dialect: Option<At<Dialect>> = None;
        let (mut banner, mut envelope) = (None, None);
        let (mut types, mut tags): (Named<Struct>, Named<Tag>) = Default::default();
        let mut states: IndexMap<Role, Named<State>> = IndexMap::new();
        let mut exchanges: Named<Exchange> = Named::new();
        for Source { path, mut file } in sources {
            let scope = parent(&path).to_owned();
            let mut place = |section: &str, name: &str, line: u64, twice: bool| {
                let key = format!("{scope}.{section}.{name}");
                if twice {
                    problems.push(at(&path, line, &format!("{section}.{name}"), "stands in this dialect already"));
                }
                self.places.insert(key, path.clone());
            };
            macro_rules! own {
                ($($section:ident),*; $($single:ident),*) => {
                    $(for (name, item) in std::mem::take(&mut file.$section) {
                        place(stringify!($section), &name, item.line, $section.contains_key(&name));
                        $section.insert(name, item);
                    })*
                    $(if let Some(found) = file.$single.take() {
                        place("", stringify!($single), found.line, $single.is_some());
                        $single = Some(found);
                    })*
                };
            }
            own!(types, tags, exchanges; banner, envelope, dialect);
            for (role, named) in std::mem::take(&mut file.states) {
                for (name, item) in named {
                    let known = states.entry(role).or_default();
                    place("states", &format!("{role}.{name}"), item.line, known.contains_key(&name));
                    known.insert(name, item);
                }
            }
            self.add_shared(&path, file, problems);
        }
        let Some(info) = dialect else { return };
        if self.dialects.contains_key(&info.name) {
            let path = self.place(&format!("{folder}..dialect")).to_owned();
            problems.push(at(&path, info.line, "dialect.name", "another folder has a dialect of this name"));
            return;
        }
        let own_tags: IndexSet<String> = tags.keys().cloned().collect();
        let own_states = !states.is_empty();
        let own_names: IndexSet<(Role, String)> =
            states.iter().flat_map(|(role, named)| named.keys().map(|name| (*role, name.clone()))).collect();
        if let Some(parent) = info.extends.as_ref().and_then(|p| self.dialects.get(p)) {
            let mut all = parent.tags.clone();
            all.extend(tags);
            tags = all;
            tags.sort_by(|_, a, _, b| a.number.cmp(&b.number));
            let mut all = parent.states.clone();
            for (role, own) in states {
                all.entry(role).or_default().extend(own);
            }
            states = all;
            banner = banner.or_else(|| parent.banner.clone());
            envelope = envelope.or_else(|| parent.envelope.clone());
        }
        let mut unlike = Vec::new();
        for (role, named) in &mut states {
            let own = |name: &String| own_names.contains(&(*role, name.clone()));
            unlike
                .extend(take_over(named, own).into_iter().map(|(name, line)| (format!("states.{role}.{name}"), line)));
        }
        for (key, line) in unlike {
            let path = self.place(&format!("{folder}.{key}"));
            let what = "names no state of the role, or one that comes back to this";
            problems.push(at(path, line, &format!("{key}.like"), what));
        }
        self.dialects.insert(
            info.name.clone(),
            DialectView {
                folder,
                line: info.line,
                info: (*info).clone(),
                banner,
                envelope,
                types,
                tags,
                own_tags,
                states,
                own_states,
                exchanges,
            },
        );
    }

    /// The chain of a dialect and its ancestors, youngest first.
    pub fn ancestry<'a>(&'a self, dialect: &'a DialectView) -> impl Iterator<Item = &'a DialectView> {
        std::iter::successors(Some(dialect), |d| d.info.extends.as_ref().and_then(|p| self.dialects.get(p)))
    }

    /// The message type that a message's name means: its name and its number.
    pub fn message_type<'a>(&'a self, message: &str) -> Option<(&'a str, u16)> {
        let types = self.enums.get("message_type")?;
        let (name, value) = types.values.iter().find(|(name, _)| name.to_lowercase() == message)?;
        Some((name, u16::try_from(value.number).ok()?))
    }

    /// The file of an item, by section and name; for an item of a dialect with its folder in front.
    pub fn place(&self, key: &str) -> &str {
        self.places.get(key).map_or("", String::as_str)
    }

    /// The file of an item of a dialect, its own or inherited, by section and name.
    pub fn place_in(&self, dialect: &DialectView, key: &str) -> &str {
        let own = self.ancestry(dialect).map(|d| self.place(&format!("{}.{key}", d.folder)));
        own.into_iter().find(|path| !path.is_empty()).unwrap_or_default()
    }
}

/// Gives states that are like another what they take over from it; those that a dialect inherits have it already.
/// Returns those of which that can't be done, and their lines.
fn take_over(states: &mut Named<State>, own: impl Fn(&String) -> bool) -> Vec<(String, u64)> {
    let like = states.iter().enumerate().filter(|(_, (name, state))| own(name) && state.like.is_some());
    let mut left: Vec<usize> = like.map(|(index, _)| index).collect();
    while !left.is_empty() {
        // a state comes after the one that it is like
        let ready = left.iter().position(|index| {
            let other = states[*index].like.as_ref().and_then(|like| states.get_index_of(like));
            other.is_some_and(|other| !left.contains(&other))
        });
        let Some(ready) = ready else { break };
        let index = left.remove(ready);
        if let Some(other) = states[index].like.as_ref().and_then(|like| states.get(like)).cloned() {
            let state = &mut states[index];
            let own = |tag: &String| state.sends.contains(tag) || state.acts.contains_key(tag);
            let sends: Vec<String> = other.sends.iter().filter(|tag| !own(tag)).cloned().collect();
            let acts: Vec<(String, Moves)> = other
                .acts
                .iter()
                .filter(|(tag, _)| !own(tag))
                .map(|(tag, moves)| (tag.clone(), moves.clone()))
                .collect();
            state.sends.extend(sends);
            state.acts.extend(acts);
            for (tag, moves) in &other.on {
                state.on.entry(tag.clone()).or_insert_with(|| moves.clone());
            }
        }
    }
    left.into_iter().filter_map(|i| states.get_index(i).map(|(name, state)| (name.clone(), state.line))).collect()
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
