//! What one source file says: its paths, conditions and attributes, by line.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use super::cfg::Condition;

/// One thing that a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// A path into the library, from its root: `crate::wire::Message` is
    /// `[wire, Message]`.
    Own(Vec<String>),
    /// Any other path, as it is written.
    Other(Vec<String>),
    /// A name in the condition of a `cfg`. The flag: no code that ships hangs on
    /// it. It stands on a test, on a module that only that name brings in, or on
    /// a check at compile time (`const _`).
    Cfg(String, bool),
    /// `#[path = ".."]`
    PathAttribute(String),
    /// `include!`, `include_str!`, `include_bytes!`
    Include(String),
}

/// A fact and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) line: usize,
    pub(super) fact: Fact,
    /// It stands in code that only tests compile.
    pub(super) test: bool,
}

/// All that a file says. `module` is the file's path from the library's root,
/// `own` the library's name, `test` whether only tests compile it.
pub(super) fn scan(ast: &syn::File, own: &str, module: &[String], test: bool) -> Vec<Seen> {
    let mut scan =
        Scan { own, module: module.to_vec(), tests: usize::from(test), seen: Vec::new() };
    scan.visit_file(ast);
    scan.seen
}

/// Every line on which the word `unsafe` stands as code, macros included.
pub(super) fn unsafe_lines(tokens: TokenStream) -> Vec<usize> {
    let mut lines = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) if word == "unsafe" => lines.push(word.span().start().line),
            TokenTree::Group(group) => lines.extend(unsafe_lines(group.stream())),
            _ => {}
        }
    }
    lines
}

/// Whether these attributes leave an item to tests alone.
pub(super) fn only_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes
        .iter()
        .filter(|one| one.path().is_ident("cfg"))
        .any(|one| condition(one).is_some_and(|condition| condition.implies("test")))
}

/// The texts of `#[path = ".."]`, those inside a `cfg_attr` too.
pub(super) fn path_attributes(attributes: &[syn::Attribute]) -> Vec<String> {
    let mut paths = Vec::new();
    for attribute in attributes {
        match &attribute.meta {
            syn::Meta::NameValue(meta) if meta.path.is_ident("path") => {
                paths.extend(text_of(meta.value.to_token_stream()));
            }
            syn::Meta::List(list) if list.path.is_ident("cfg_attr") => {
                let tokens: Vec<TokenTree> = list.tokens.clone().into_iter().collect();
                for three in tokens.windows(3) {
                    if matches!(&three[0], TokenTree::Ident(word) if word == "path") {
                        paths.extend(text_of(three[2].clone().into()));
                    }
                }
            }
            _ => {}
        }
    }
    paths
}

fn text_of(tokens: TokenStream) -> Option<String> {
    syn::parse2::<syn::LitStr>(tokens).ok().map(|text| text.value())
}

fn condition(attribute: &syn::Attribute) -> Option<Condition> {
    match &attribute.meta {
        syn::Meta::List(list) => Condition::first_of(list.tokens.clone()),
        _ => None,
    }
}

struct Scan<'a> {
    own: &'a str,
    module: Vec<String>,
    tests: usize,
    seen: Vec<Seen>,
}

impl Scan<'_> {
    fn note(&mut self, span: Span, fact: Fact) {
        self.seen.push(Seen { line: span.start().line, fact, test: self.tests > 0 });
    }

    /// A path as it is written, led back to the library's root where it is the
    /// library's own.
    fn path(&mut self, span: Span, written: &[String]) {
        let mut rest = written;
        let mut base = match written.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some(first) if first == self.own => Vec::new(),
            Some("self" | "super") if written.len() > 1 => {
                let mut base = self.module.clone();
                if written[0] == "super" {
                    base.pop();
                }
                base
            }
            // `self`, the value.
            Some("self" | "super") | None => return,
            Some(_) => return self.note(span, Fact::Other(written.to_vec())),
        };
        rest = &rest[1..];
        while rest.first().is_some_and(|one| one == "super") {
            base.pop();
            rest = &rest[1..];
        }
        base.extend(rest.iter().filter(|one| *one != "self").cloned());
        self.note(span, Fact::Own(base));
    }

    fn conditions(&mut self, span: Span, condition: &Condition, on_module: bool) {
        for name in condition.names() {
            let fenced = condition.implies("test") || on_module && condition.implies(name);
            self.note(span, Fact::Cfg(name.to_owned(), fenced));
        }
    }

    fn use_tree(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |name: &Ident| {
            let mut path = before.to_vec();
            path.push(name.to_string());
            path
        };
        match tree {
            syn::UseTree::Path(path) => self.use_tree(&path.tree, &with(&path.ident)),
            syn::UseTree::Name(name) => self.path(name.ident.span(), &with(&name.ident)),
            syn::UseTree::Rename(name) => self.path(name.ident.span(), &with(&name.ident)),
            syn::UseTree::Glob(glob) => {
                let mut path = before.to_vec();
                path.push("*".to_owned());
                self.path(glob.span(), &path);
            }
            syn::UseTree::Group(group) => {
                for one in &group.items {
                    self.use_tree(one, before);
                }
            }
        }
    }

    /// What a macro is given is no syntax yet: its words are looked at.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(word) if word == "cfg" || word == "cfg_attr" => {
                    let skip = usize::from(is_punct(tokens.get(at), '!'));
                    if let Some(TokenTree::Group(group)) = tokens.get(at + skip)
                        && group.delimiter() == Delimiter::Parenthesis
                        && let Some(condition) = Condition::first_of(group.stream())
                    {
                        self.conditions(word.span(), &condition, false);
                    }
                }
                TokenTree::Ident(word) => {
                    let before = at.checked_sub(2).and_then(|at| tokens.get(at));
                    if !is_punct(before, ':') {
                        at = self.token_path(word, &tokens, at);
                    }
                }
                _ => {}
            }
        }
    }

    /// A path that begins with `first`; `at` is what follows it. Returns where
    /// to go on.
    fn token_path(&mut self, first: &Ident, tokens: &[TokenTree], mut at: usize) -> usize {
        let mut path = vec![first.to_string()];
        while is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':') {
            match tokens.get(at + 2) {
                Some(TokenTree::Ident(next)) => path.push(next.to_string()),
                Some(TokenTree::Punct(star)) if star.as_char() == '*' => path.push("*".to_owned()),
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    self.token_group(&path, group.stream());
                    return at + 3;
                }
                _ => break,
            }
            at += 3;
        }
        if path.len() > 1 {
            self.path(first.span(), &path);
        }
        at
    }

    /// `{a, b::c}` behind a path: each part's first names.
    fn token_group(&mut self, before: &[String], tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for part in tokens.split(|one| matches!(one, TokenTree::Punct(p) if p.as_char() == ',')) {
            let mut path = before.to_vec();
            for token in part {
                match token {
                    TokenTree::Ident(word) if word == "as" => break,
                    TokenTree::Ident(word) => path.push(word.to_string()),
                    TokenTree::Group(group) => {
                        self.token_group(&path, group.stream());
                        path.clear();
                    }
                    TokenTree::Punct(star) if star.as_char() == '*' => path.push("*".to_owned()),
                    _ => {}
                }
            }
            if let (Some(first), true) = (part.first(), path.len() > before.len()) {
                self.path(first.span(), &path);
            }
        }
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

impl<'ast> Visit<'ast> for Scan<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let test = only_for_tests(attributes_of(item));
        self.tests += usize::from(test);
        visit::visit_item(self, item);
        self.tests -= usize::from(test);
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let test = match item {
            syn::ImplItem::Fn(one) => only_for_tests(&one.attrs),
            syn::ImplItem::Const(one) => only_for_tests(&one.attrs),
            _ => false,
        };
        self.tests += usize::from(test);
        visit::visit_impl_item(self, item);
        self.tests -= usize::from(test);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        for attribute in &item.attrs {
            match condition(attribute) {
                Some(condition) if attribute.path().is_ident("cfg") => {
                    self.conditions(attribute.span(), &condition, true);
                }
                _ => self.visit_attribute(attribute),
            }
        }
        for path in path_attributes(&item.attrs) {
            self.note(item.span(), Fact::PathAttribute(path));
        }
        if let Some((_, items)) = &item.content {
            self.module.push(item.ident.to_string());
            for item in items {
                self.visit_item(item);
            }
            self.module.pop();
        }
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if item.ident != "_" {
            return visit::visit_item_const(self, item);
        }
        for condition in item.attrs.iter().filter_map(condition) {
            for name in condition.names() {
                self.note(item.span(), Fact::Cfg(name.to_owned(), true));
            }
        }
        self.visit_expr(&item.expr);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for attribute in &item.attrs {
            self.visit_attribute(attribute);
        }
        self.use_tree(&item.tree, &[]);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        self.path(item.ident.span(), &[item.ident.to_string()]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let written: Vec<String> = path.segments.iter().map(|one| one.ident.to_string()).collect();
        self.path(path.span(), &written);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        let name = call.path.segments.last().map(|one| one.ident.to_string()).unwrap_or_default();
        match name.as_str() {
            "cfg" => {
                if let Some(condition) = Condition::first_of(call.tokens.clone()) {
                    self.conditions(call.span(), &condition, false);
                }
            }
            "include" | "include_str" | "include_bytes" => {
                self.note(call.span(), Fact::Include(call.tokens.to_string()));
            }
            _ => self.tokens(call.tokens.clone()),
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let path = attribute.path();
        if (path.is_ident("cfg") || path.is_ident("cfg_attr"))
            && let Some(condition) = condition(attribute)
        {
            self.conditions(attribute.span(), &condition, false);
        }
    }

    // `pub(in crate::wire)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

fn attributes_of(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(one) => &one.attrs,
        syn::Item::Enum(one) => &one.attrs,
        syn::Item::ExternCrate(one) => &one.attrs,
        syn::Item::Fn(one) => &one.attrs,
        syn::Item::ForeignMod(one) => &one.attrs,
        syn::Item::Impl(one) => &one.attrs,
        syn::Item::Macro(one) => &one.attrs,
        syn::Item::Mod(one) => &one.attrs,
        syn::Item::Static(one) => &one.attrs,
        syn::Item::Struct(one) => &one.attrs,
        syn::Item::Trait(one) => &one.attrs,
        syn::Item::TraitAlias(one) => &one.attrs,
        syn::Item::Type(one) => &one.attrs,
        syn::Item::Union(one) => &one.attrs,
        syn::Item::Use(one) => &one.attrs,
        _ => &[],
    }
}
