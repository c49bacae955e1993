// Libraries that come without types: codecs look at what they give as at anything unknown.
declare module "ml-cart";
declare module "ml-knn";
declare module "ml-logistic-regression";
declare module "ml-naivebayes";
declare module "libsvm-js";
declare module "ml-xgboost";
