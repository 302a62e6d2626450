//! Every diagnostic code with its page. The page is the code's one file: it explains, and its
//! examples are the test – the wrong one must give exactly this code at exactly the marked range.

/// A code and its page.
#[derive(Clone, Copy, Debug)]
pub struct CodePage {
    /// `E0101`
    pub code: &'static str,
    /// The page as Markdown; the first line is `# E0101: …`.
    pub page: &'static str,
}

macro_rules! pages {
    ($($code:ident)*) => {
        /// All codes, in order.
        pub const ALL: &[CodePage] = &[
            $(CodePage {
                code: stringify!($code),
                page: include_str!(concat!("../../book/src/codes/", stringify!($code), ".md")),
            },)*
        ];
        $(
            #[doc = concat!("See `tcloud explain ", stringify!($code), "`.")]
            pub const $code: crate::Code = crate::Code(stringify!($code));
        )*
    };
}

pages! {
    E0502
    E0503
    E0210
    E0211
    E0212
    E0213
    E0214
    E0215
    E0216
    E0217
    E0220
    E0221
    E0222
    E0223
    E0001
    E0002
    E0003
    E0004
    E0005
    E0006
    E0007
    E0008
    E0009
    E0010
    E0011
    E0012
    E0013
    E0014
    E0015
    E0020
    E0021
    E0022
    E0023
    E0024
    E0025
}

/// The page of a code, in any case.
pub fn find(code: &str) -> Option<&'static CodePage> {
    ALL.iter().find(|page| page.code.eq_ignore_ascii_case(code))
}
