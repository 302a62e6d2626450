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
    E0016
    E0020
    E0021
    E0022
    E0023
    E0024
    E0025
    E0101
    E0102
    E0103
    E0104
    E0105
    E0106
    E0107
    E0108
    E0109
    E0201
    E0202
    E0203
    E0204
    E0205
    E0206
    E0207
    E0208
    E0209
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
    E0230
    E0231
    E0232
    E0301
    E0302
    E0303
    E0304
    E0305
    E0306
    E0307
    E0308
    E0309
    E0312
    E0313
    E0314
    E0315
    E0316
    E0317
    E0318
    E0319
    E0320
    E0322
    E0323
    E0401
    E0402
    E0403
    E0404
    E0405
    E0406
    E0501
    E0502
    E0503
    E0510
    E0511
    E0512
    E0513
    E0514
    E0515
    E0516
    E0517
    E0518
    E0601
    E0602
    E0603
    E0604
    E0701
    E0801
    E0802
    E0803
    E0804
    E0901
    E0902
    E0903
    E0904
    E0905
    E0906
    E0907
    E0908
    E0909
    E0910
    E0911
    E0912
    E0913
    E0914
    E0915
    E0990
}

/// The page of a code, in any case.
pub fn find(code: &str) -> Option<&'static CodePage> {
    ALL.iter().find(|page| page.code.eq_ignore_ascii_case(code))
}
