//! What is written is what is read, for every text; and what is not fit for reading is refused.

use ecow::{EcoString, eco_format};
use proptest::prelude::*;

use super::write::is_allowed;
use super::{Element, Node, XmlError};

/// Any text that XML can hold, often with what could break out of it.
fn text() -> impl Strategy<Value = EcoString> {
    let traps = prop::sample::select(vec![
        "]]>",
        "<!--",
        "-->",
        "&#0;",
        "&amp;",
        "</name>",
        "<x>",
        "\"",
        "'",
        "\r\n",
        "\t",
        " ",
        "<?xml?>",
        "<!DOCTYPE x>",
        "\u{fffd}",
        "\u{85}",
        "\u{2028}",
    ]);
    let any = any::<String>().prop_map(|text| text.chars().filter(|c| is_allowed(*c)).collect());
    prop::collection::vec(prop_oneof![traps.prop_map(str::to_owned), any], 0..4)
        .prop_map(|parts| parts.concat().into())
}

fn name() -> impl Strategy<Value = EcoString> {
    let names =
        "[a-z_][a-zA-Z0-9_.-]{0,8}".prop_filter("reserved", |name| !name.starts_with("xml"));
    names.prop_map_into()
}

fn attributes() -> impl Strategy<Value = Vec<(EcoString, EcoString)>> {
    prop::collection::btree_map(name(), text(), 0..4).prop_map(|all| all.into_iter().collect())
}

fn element() -> impl Strategy<Value = Element> {
    let leaf = (name(), attributes()).prop_map(|(name, attributes)| Element {
        name,
        attributes,
        children: Vec::new(),
    });
    leaf.prop_recursive(4, 24, 5, |inner| {
        let node = prop_oneof![
            inner.prop_map(Node::Element),
            text().prop_map(Node::Text),
            "[ -,.-~]{0,12}".prop_map(|own| Node::Comment(own.into())),
        ];
        (name(), attributes(), prop::collection::vec(node, 0..5)).prop_map(
            |(name, attributes, children)| Element { name, attributes, children: joined(children) },
        )
    })
}

/// A reader cannot tell two texts beside each other from one, nor an empty one from none.
fn joined(nodes: Vec<Node>) -> Vec<Node> {
    let mut all: Vec<Node> = Vec::new();
    for node in nodes {
        match (all.last_mut(), node) {
            (_, Node::Text(text)) if text.is_empty() => {}
            (Some(Node::Text(before)), Node::Text(text)) => {
                *before = eco_format!("{before}{text}");
            }
            (_, node) => all.push(node),
        }
    }
    all
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(element in element()) {
        let written = element.write().expect("it can be written");
        prop_assert_eq!(Element::parse(&written).expect(&written), element);
    }

    #[test]
    fn any_text_is_written_as_it_is_or_refused(text in any::<String>()) {
        let element = Element::new("name").attr("of", &text).text(&text);
        match element.write() {
            Ok(written) => {
                let read = Element::parse(&written).expect(&written);
                prop_assert_eq!(read.get("of"), Some(text.as_str()));
                prop_assert_eq!(read.exact_content(), text);
            }
            Err(XmlError::Character { character, .. }) => prop_assert!(!is_allowed(character)),
            Err(other) => prop_assert!(false, "{}", other),
        }
        let shown = element.to_string();
        prop_assert!(Element::parse(&shown).is_ok());
    }

    #[test]
    fn reading_never_panics(text in any::<String>()) {
        let _ = Element::parse(&text);
        let _ = Element::parse(&format!("<a>{text}</a>"));
    }
}

/// What another reader, which is slower, makes of the same text.
fn by_another_reader(text: &str) -> Option<Element> {
    fn element(node: roxmltree::Node<'_, '_>) -> Element {
        let mut own = Element::new(node.tag_name().name());
        let pairs = node.attributes().map(|own| (own.name().into(), own.value().into()));
        own.attributes = pairs.collect();
        let children = node.children().filter_map(|child| match child.node_type() {
            roxmltree::NodeType::Element => Some(Node::Element(element(child))),
            roxmltree::NodeType::Comment => Some(Node::Comment(child.text()?.into())),
            roxmltree::NodeType::Text => Some(Node::Text(child.text()?.into())),
            _ => None,
        });
        own.children = joined(children.collect());
        own
    }
    roxmltree::Document::parse(text).ok().map(|document| element(document.root_element()))
}

/// Texts that are XML, or nearly.
fn nearly() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<a>",
        "</a>",
        "<b c='1' d=\"&lt;&#9;\r\n\">",
        "</b>",
        "<c/>",
        "<a-\u{e4} e='\t'/>",
        "x",
        "&amp;",
        "&#x41;",
        "&#13;",
        "&#1;",
        "&b;",
        "&",
        "<",
        ">",
        "]]>",
        "<![CDATA[<&]]>",
        "<![CDATA[]]>",
        "<!--c-->",
        "<!--c--->",
        "<!---->",
        "<?p i?>",
        "<?xml version='1.0'?>",
        "\r\n",
        "\n  ",
        "\u{fffe}",
        "\u{1}",
        "\u{e4}",
        "<a b='1' b='2'/>",
        "<a b='<'/>",
        "<a b=c/>",
        "<1/>",
        "< a/>",
        "</ a>",
        "<a/ >",
        "<a",
        "'",
        "<!DOCTYPE a>",
        "\u{feff}",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn another_reader_reads_the_same(inner in nearly()) {
        for text in [format!("<a>{inner}</a>"), inner] {
            prop_assert_eq!(Element::parse(&text).ok(), by_another_reader(&text), "{:?}", text);
        }
    }
}

#[test]
fn a_name_that_breaks_out_stays_a_name() {
    let attack = "x</name><devices><hostdev/></devices><name>";
    let domain = Element::new("domain").child(Element::new("name").text(attack));
    let read = Element::parse(&domain.write().expect("it can be written")).expect("XML");
    assert_eq!(read.content_at("name").as_deref(), Some(attack));
    assert!(read.find("devices").is_none());
}

#[test]
fn characters_that_xml_cannot_hold_are_refused_and_named() {
    for character in ['\0', '\u{1b}', '\u{fffe}', '\u{ffff}'] {
        let element = Element::new("description").text(format!("a{character}b"));
        let error = element.write().expect_err("it cannot be written");
        assert_eq!(error, XmlError::Character { character, place: "description".to_owned() });
        assert!(error.to_string().contains(&format!("U+{:04X}", u32::from(character))));
    }
    let comment = Element { children: vec![Node::Comment("a--b".into())], ..Element::new("a") };
    assert_eq!(comment.write(), Err(XmlError::Comment("a".into())));
    assert_eq!(Element::new("a b").write(), Err(XmlError::Name("a b".into())));
}

#[test]
fn document_types_length_and_depth_are_refused() {
    let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><l>&b;</l>";
    assert_eq!(Element::parse(laughs), Err(XmlError::Dtd));
    let external = "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><x/>";
    assert_eq!(Element::parse(external), Err(XmlError::Dtd));
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    assert_eq!(Element::parse(&deep), Err(XmlError::TooDeep));
    let long = format!("<a>{}</a>", " ".repeat(super::LONGEST));
    assert!(matches!(Element::parse(&long), Err(XmlError::TooLong(_))));
    assert!(matches!(Element::parse("<a>&b;</a>"), Err(XmlError::Malformed(_))));
}

#[test]
fn no_attribute_stands_there_twice() {
    for count in [2, 100] {
        let all: String = (1..count).map(|number| format!(" a{number}=''")).collect();
        assert!(Element::parse(&format!("<a{all}/>")).is_ok());
        let twice = Element::parse(&format!("<a{all} a1=''/>")).expect_err("twice").to_string();
        assert!(twice.contains("the attribute a1 stands there twice"), "{twice}");
    }
}

#[test]
fn prefixes_and_their_declarations_are_kept() {
    let text = "<domain type=\"kvm\"><metadata><app:data xmlns:app=\"https://app.example/1\" \
                app:kind=\"x\"><app:inner/></app:data></metadata></domain>";
    let domain = Element::parse(text).expect("XML");
    assert_eq!(domain.write().as_deref(), Ok(text));
    let data = domain.find("metadata/app:data").expect("foreign metadata");
    assert_eq!(data.get("app:kind"), Some("x"));
}

#[test]
fn a_prefix_has_to_be_declared_around_it() {
    for text in ["<a:b/>", "<a c:d='1'/>", "<a><b xmlns:c='u'/><c:d/></a>", "<a:b:c xmlns:a='u'/>"]
    {
        assert!(matches!(Element::parse(text), Err(XmlError::Malformed(_))), "{text}");
    }
    for text in
        ["<a:b xmlns:a=\"u\"/>", "<a xmlns:c=\"u\"><b c:d=\"1\"/></a>", "<a xml:lang=\"de\"/>"]
    {
        assert_eq!(Element::parse(text).and_then(|own| own.write()).as_deref(), Ok(text));
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let told = |text| Element::parse(text).expect_err(text).to_string();
    let wrong = "<a>\n  <b>\n</a>";
    assert!(told(wrong).ends_with("expected `</b>`, but `</a>` was found, line 3, column 1"));
    assert!(told("<a>\n  &c;</a>").ends_with("the entity c is unknown, line 2, column 6"));
    assert!(told("<a><b").contains("tag not closed"));
}

#[test]
fn a_tree_is_found_and_changed_in_place() {
    let mut pool = Element::parse(
        "<pool type='dir'>\n  <name>a</name>\n  <target><path>/a</path></target>\n</pool>",
    )
    .expect("XML");
    pool.find_mut("target").expect("a target").put(Element::new("path").text("/b"));
    pool.put(Element::new("uuid").text("1"));
    pool.set("type", "netfs");
    pool.remove("name");
    assert_eq!(
        pool.write().as_deref(),
        Ok("<pool type=\"netfs\">\n  \n  <target><path>/b</path></target>\n<uuid>1</uuid></pool>")
    );
}
